#!/bin/sh
# Prints the organizations. --retry repeats a 429 after the time that Retry-After names.
set -eu
curl --silent --show-error --fail-with-body --retry 3 \
    --header "X-Api-Key: $NINJAONE_KEY" "$NINJAONE_URL/v2/organizations"
