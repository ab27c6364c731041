"""Imports what is not in the package."""

import a_package_that_nobody_deployed


def handler(event, context):
    return a_package_that_nobody_deployed.answer(event)
