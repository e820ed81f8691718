#!/usr/bin/env python3
"""A plug-in for Belay that sets a feature flag to another value, and back.

The flags are one JSON file, {"checkout": true, ...}. In a playbook:

    fault: {plugin: {run: [examples/plugins/feature-flag.py], config: {file: /srv/flags.json, flag: checkout, value: false}}}

Only Python's own library is needed. docs/writing-a-plugin.md describes what is read and written here.
"""

import json
import os
import sys
import tempfile


class Refused(Exception):
    """The fault must not be made."""


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def write(path, flags):
    """Replace the whole file at once, so that nobody reads half of it, and a crash leaves the old or the new one."""
    folder = os.path.dirname(os.path.abspath(path))
    fd, new = tempfile.mkstemp(dir=folder, prefix=".flags-")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(flags, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(new, os.stat(path).st_mode & 0o777)
        os.rename(new, path)
    except BaseException:
        os.unlink(new)
        raise


def plan(request):
    """Look, change nothing, and say what would be changed."""
    want = request["config"]
    missing = {"file", "flag", "value"} - want.keys()
    if missing:
        raise Refused("config needs " + ", ".join(sorted(missing)))
    path, flag = os.path.abspath(want["file"]), want["flag"]
    try:
        flags = read(path)
    except (OSError, ValueError) as err:
        raise Refused(f"the flags cannot be read: {err}") from err
    if flag not in flags:
        raise Refused(f"there is no flag {flag}: there are " + ", ".join(sorted(flags)))
    if flags[flag] == want["value"]:
        raise Refused(f"flag {flag} is {json.dumps(want['value'])} already")
    return {
        "target": f"feature flag {flag} in {path}",
        "class": "restore",
        "fidelity": "process",
        "changes": [f"set {flag} from {json.dumps(flags[flag])} to {json.dumps(want['value'])}"],
        "radius": [f"everybody who reads {path}"],
        "claims": [f"flag {flag} in {path}"],
        # All that is needed to take it back, also by another process after a crash.
        "undo": {"file": path, "flag": flag, "was": flags[flag], "is": want["value"]},
    }


def inject(request):
    undo = request["undo"]
    flags = read(undo["file"])
    if flags.get(undo["flag"]) != undo["was"]:
        raise Refused("somebody changed the flag since the plan")
    flags[undo["flag"]] = undo["is"]
    write(undo["file"], flags)
    return {}


def confirm(request):
    """Look again. A plug-in that talks to a flag service would ask the service here."""
    undo = request["undo"]
    now = read(undo["file"]).get(undo["flag"])
    return {"seen": f"{undo['flag']} is {json.dumps(now)}" if now == undo["is"] else ""}


def revert(request):
    """Put back only what is still as inject left it. What else it may be now is somebody's recovery."""
    undo = request["undo"]
    again = request.get("again", False)  # an earlier revert may have done it already
    try:
        flags = read(undo["file"])
    except FileNotFoundError:
        return {} if again else {"superseded": [f"somebody removed {undo['file']}"]}
    now = flags.get(undo["flag"])
    if now == undo["is"]:
        flags[undo["flag"]] = undo["was"]
        write(undo["file"], flags)
    elif now != undo["was"] or not again:
        return {"superseded": [f"somebody set {undo['flag']} to {json.dumps(now)}"]}
    return {}


def residue(request):
    undo = request["undo"]
    try:
        now = read(undo["file"]).get(undo["flag"])
    except FileNotFoundError:
        now = None
    return {"residue": [f"{undo['flag']} is still {json.dumps(now)}"] if now == undo["is"] else []}


def main():
    request = json.load(sys.stdin)
    if request["version"] != 1:
        raise Refused("this plug-in speaks version 1")
    verbs = {"plan": plan, "inject": inject, "confirm": confirm, "revert": revert, "residue": residue}
    try:
        reply = verbs[request["do"]](request)
    except Refused as why:
        reply = {"refused" if request["do"] == "plan" else "error": str(why)}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
