"""Prints the names of all organizations, page by page."""

import os
import sys
import time

import requests

BASE = os.environ["NINJAONE_URL"].rstrip("/")
PAGE_SIZE = 100
ATTEMPTS = 3

session = requests.Session()
session.headers["X-Api-Key"] = os.environ["NINJAONE_KEY"]


def get(path, **params):
    for attempt in range(1, ATTEMPTS + 1):
        response = session.get(BASE + path, params=params, timeout=90)
        if response.status_code != 429 or attempt == ATTEMPTS:
            break
        time.sleep(int(response.headers["Retry-After"]))
    if not response.ok:
        # A refusal says why, and its id is what the operator of the proxy asks for.
        problem = response.json()
        sys.exit(f"{problem.get('detail', problem)} (request {response.headers['X-Request-Id']})")
    return response.json()


after = 0
while page := get("/v2/organizations", pageSize=PAGE_SIZE, after=after):
    for organization in page:
        print(organization["name"])
    if len(page) < PAGE_SIZE:
        break
    after = page[-1]["id"]
