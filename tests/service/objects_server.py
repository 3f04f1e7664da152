"""An S3 server on this machine, for as long as a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "faces"


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """The environment in which s3://faces is a bucket of it."""
    server = pytest.importorskip("moto.server")
    boto = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    address, port = running.get_host_and_port()
    reach = {
        "AWS_ENDPOINT_URL": f"http://{address}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        boto.client(
            "s3", endpoint_url=reach["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id="tests", aws_secret_access_key="tests",
        ).create_bucket(Bucket=BUCKET)  # fmt: skip
        yield reach
    finally:
        running.stop()
