"""What the tools say of themselves (`--experimental-dump-help`)."""

import json
import pathlib
import subprocess

TOOLS = ["extract", "merge", "convert", "inspect", "train", "sample"]


def command(folder, tool):
    """The description of a tool that lies in a folder, with the arguments that are shown."""
    text = subprocess.run(
        [pathlib.Path(folder) / f"lyco-{tool}", "--experimental-dump-help"], check=True, stdout=subprocess.PIPE).stdout
    description = json.loads(text)["command"]
    description["arguments"] = [item for item in description["arguments"] if item["shouldDisplay"]]
    return description


def long_names(argument):
    return [name["name"] for name in argument.get("names", []) if name["kind"] == "long"]
