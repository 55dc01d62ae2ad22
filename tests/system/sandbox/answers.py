"""What an answer holds."""

# Members that hold what an answer lists.
WRAPPERS = ("results", "data", "activities", "tags", "labels", "devices", "content")


def content(response):
    """The body of a success; None of anything else."""
    is_json = response.headers.get("content-type", "").startswith("application/json")
    return response.json() if response.ok and is_json and response.content else None


def rows(body):
    """The objects that an answer lists, whatever it wraps them in; the answer itself if it is one object."""
    if isinstance(body, dict):
        wrapped = [body[name] for name in WRAPPERS if isinstance(body.get(name), list)]
        body = wrapped[0] if wrapped else [body]
    return [it for it in body if isinstance(it, dict)] if isinstance(body, list) else []
