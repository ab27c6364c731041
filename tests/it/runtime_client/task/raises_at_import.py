"""Reads its settings when it is imported, and one is not there."""

import os


def setting(name):
    if name not in os.environ:
        raise RuntimeError(f"{name} is not set")  # here: import
    return os.environ[name]


TABLE = setting("TABLE_NAME")


def handler(event, context):
    return {"statusCode": 200, "body": TABLE}
