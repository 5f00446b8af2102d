"""boto3 against the management API: python3 management.py ENDPOINT CONNECTION.

It posts "hello", asks about the connection, closes it, and prints when it was
connected.
"""

import sys

import boto3

endpoint, connection = sys.argv[1:]
client = boto3.client(
    "apigatewaymanagementapi",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="AKIDINTEROP",
    aws_secret_access_key="interop",
)
client.post_to_connection(ConnectionId=connection, Data=b"hello")
got = client.get_connection(ConnectionId=connection)
client.delete_connection(ConnectionId=connection)
print(got["ConnectedAt"].isoformat())
