"""Handlers that go wrong, each in a way of its own.

`# here: NAME` marks the line that gatewatch has to name: the innermost one of the function's own.
"""

import json
import logging
import os
import signal
import sys


def price_of(event):
    return event["items"][0]["price"]  # here: exception


def exception(event, context):
    return {"statusCode": 200, "body": str(price_of(event))}


def message_of_several_lines(event, context):
    raise ValueError("the cart is not valid:\n  items: Größe fehlt\n\nsee the API's manual")  # here: several lines


def no_message(event, context):
    raise NotImplementedError  # here: no message


def exception_in_a_library(event, context):
    return {"statusCode": 200, "body": json.loads(event["body"][:5])}  # here: library


def handled_and_raised_again(event, context):
    try:
        price_of(event)
    except KeyError as error:
        raise LookupError(f"no price: {error}") from error  # here: raised again


def exits(event, context):
    sys.exit(3)


def exits_with_words(event, context):
    sys.exit("the queue is gone")


def exits_without_a_reason(event, context):
    os._exit(0)


def is_killed(event, context):
    os.kill(os.getpid(), signal.SIGKILL)


def a_set(event, context):
    return {"statusCode": 200, "body": {"a", "b"}}


def a_bare_string(event, context):
    return "hello"


def an_error_that_is_logged_and_a_bare_string(event, context):
    try:
        price_of(event)
    except KeyError:
        logging.exception("no price")
    return "hello"


def an_error_that_is_logged_and_a_good_answer(event, context):
    try:
        price_of(event)
    except KeyError:
        logging.exception("no price")
    return {"statusCode": 200, "body": "{}"}
