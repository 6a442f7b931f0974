"""A plugin in Python, without dependencies: how busy this computer is.

The lab starts this script and speaks with it by lines of JSON on standard input and output. Only
`describe`, `read` and `set` are about the sensor; the rest is the same for every plugin.
"""

import json
import os
import sys

settings = {}
over_minutes = 1


def describe():
    """The device's channels; checks the settings first."""
    global over_minutes
    over_minutes = settings.pop("over_minutes", 1)
    if over_minutes not in (1, 5, 15):
        raise WrongSetting("over_minutes", "expected 1, 5 or 15")
    if settings:
        raise WrongSetting(next(iter(settings)), "there is no such setting")
    return {
        "channels": [
            {"name": "load", "datatype": "float", "min": 0, "label": "Processes that want to run"},
            {"name": "over-minutes", "datatype": "int", "unit": "min", "min": 1, "max": 15,
             "settable": True, "initial": over_minutes},
        ],
        "trigger": "interval",
    }


def read():
    """One reading."""
    return {"load": os.getloadavg()[(1, 5, 15).index(over_minutes)]}


def set_channel(channel, value):
    """Takes a value for a control variable; an exception refuses it."""
    global over_minutes
    if value not in (1, 5, 15):
        raise ValueError("there are averages over 1, 5 and 15 minutes")
    over_minutes = value


# What follows is the same for every plugin --------------------------------------------------------


class WrongSetting(Exception):
    """A setting of the TOML block is wrong."""

    def __init__(self, key, message):
        super().__init__(message)
        self.key = key


def answer(request):
    """Does what the lab asks for; the fields of the answer."""
    op = request["op"]
    if op == "manifest":
        kind = {"name": "load", "role": "sensor", "settings": {"type": "object", "properties": {
            "over_minutes": {"type": "integer", "default": 1, "description": "Average over 1, 5 or 15 minutes."}}}}
        return {"ok": {"name": "load", "version": "1.0.0", "kinds": [kind]}}
    if op == "create":
        settings.update(request["settings"])
        return {"ok": describe()}
    if op == "read":
        return {"ok": read()}
    if op == "set":
        return {"ok": set_channel(request["channel"], request["value"])}
    return {"error": f"there is no `{op}`"}


def main():
    lines = sys.stdout
    # What a plugin prints is log.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = answer(request)
        except WrongSetting as wrong:
            result = {"error": str(wrong), "setting": [wrong.key]}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": request["id"], **result}), file=lines, flush=True)


if __name__ == "__main__":
    main()
