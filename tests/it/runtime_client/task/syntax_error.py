"""A merge that went wrong."""


def handler(event, context):
    return {"statusCode": 200, "body": "{}"  # here: syntax
