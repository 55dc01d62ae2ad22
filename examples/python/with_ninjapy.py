"""Prints the names of all organizations with an unmodified client of NinjaOne: it gets its token from the proxy."""

import os

from ninjapy import NinjaRMMClient

base = os.environ["NINJAONE_URL"].rstrip("/")
client = NinjaRMMClient(
    base_url=base,
    token_url=f"{base}/ws/oauth/token",
    client_id=os.environ["NINJAONE_CALLER"],
    client_secret=os.environ["NINJAONE_KEY"],
    scope="monitoring",
)
for organization in client.get_organizations():
    print(organization["name"])
client.close()
