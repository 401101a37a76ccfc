"""What Google's own client makes of a batch service: ``python genai_client.py URL`` says it as JSON.

It runs in an environment that holds google-genai and nothing of ours.
"""

import importlib.util
import json
import sys
import time

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

IN, OUT = "gs://bucket/in.jsonl", {"dest": "gs://bucket/out"}


def wait(batches, name):
    while not (job := batches.get(name=name)).done:
        time.sleep(0.02)
    return job


def refusal(call, name):
    try:
        call(name=name)
    except errors.ClientError as error:
        return error.status
    return None


def main(url):
    options = types.HttpOptions(base_url=url)
    where = {"vertexai": True, "project": "rehearsal", "location": "global", "credentials": Credentials("x")}
    with genai.Client(**where, http_options=options) as client:
        batches = client.batches
        made = batches.create(model="gemini-3.5-flash", src=IN, config={**OUT, "display_name": "by google"})
        ended = wait(batches, made.name)
        listed = batches.list(config={"page_size": 10, "filter": 'display_name="by google"'})
        said = {
            "geminate": importlib.util.find_spec("geminate") is not None,
            "version": genai.__version__,
            "states": [made.state, ended.state],
            "display_name": ended.display_name,
            "successful": ended.completion_stats.successful_count,
            "dest": ended.dest.gcs_uri,
            "listed": [job.name == made.name for job in listed],
            "cancelled_too_late": refusal(batches.cancel, made.name),
            "deleted": batches.delete(name=made.name).done,
            "gone": refusal(batches.get, made.name),
        }
        waits = batches.create(model="gemini-3.5-flash", src=IN, config={**OUT, "display_name": "waits"})
        batches.cancel(name=waits.name)
        sys.stdout.write(json.dumps({**said, "cancelled": wait(batches, waits.name).state}))


if __name__ == "__main__":
    main(sys.argv[1])
