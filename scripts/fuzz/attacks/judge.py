"""Whether what a fault left of a scenario is right, and what the next run makes of it."""

import os
import pathlib
import re
import shutil
import tempfile
import time

from .bench import tree


def hidden(files):
    return [n for n in files if any(p.startswith(".") for p in n.split("/"))]


def empty(folder):
    """Folders with nothing in them."""
    return {os.path.relpath(place, folder) for place, folders, names in os.walk(folder) if not folders and not names}


class Judge:
    """One scenario: its start, the outputs of a run without faults, and whether what a fault left is right."""

    def __init__(self, bench, scenario):
        self.bench, self.scenario = bench, scenario
        start = bench.folder()
        if scenario.former:
            status, _, errors = bench.run(scenario.tool, scenario.former, start)
            assert status == 0, f"{scenario.name}: {errors}"
        self.folder, self.start = start, tree(start)
        whole = self.fresh()
        began = time.monotonic()
        status, self.output, errors = bench.run(scenario.tool, scenario.arguments, whole)
        self.seconds = time.monotonic() - began
        assert status == 0, f"{scenario.name}: {errors}"
        self.whole, self.empty = tree(whole), empty(whole)
        assert not hidden(self.whole), scenario.name
        again = self.fresh()
        bench.run(scenario.tool, scenario.arguments, again)
        for name, content in tree(again).items():
            assert self.is_volatile(name) or self.whole.get(name) == content, f"{scenario.name}: {name} varies"
        bench.drop(whole), bench.drop(again)

    def fresh(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.bench.place))
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, symlinks=True)
        return folder

    def is_volatile(self, name):
        return any(re.match(p, name) for p in self.scenario.volatile)

    def is_whole(self, left):
        return all(left.get(n) == c for n, c in self.whole.items() if not self.is_volatile(n))

    def set_of(self, name):
        for pattern in self.scenario.sets:
            found = re.match(pattern, name)
            if found:
                return found.group(1) if found.groups() else pattern
        return name

    def torn(self, left):
        """Sets that are neither of the start, nor of a moment of the run."""
        groups = {}
        for name in {*left, *self.start, *self.whole}:
            if not self.is_volatile(name) and not hidden([name]):
                groups.setdefault(self.set_of(name), set()).add(name)
        return [group for group, names in groups.items()
                if any(left.get(n) != self.start.get(n) for n in names)
                and any(left.get(n) != self.whole.get(n) for n in names)]

    def check(self, folder, status, errors, allowed):
        """None, or what is wrong. Ends with the folder as the next run leaves it."""
        left = tree(folder)
        for path, content in self.start.items():
            if self.whole.get(path) == content and left.get(path) != content:
                return f"{path} has changed"
        if status not in allowed:
            return f"status {status}: {errors[-200:]!r}"
        if status == 0 and self.torn(left) and not self.is_whole(left):
            return "status 0 without the outputs"
        if status == 130 and "nothing was written" in errors and any(
                left.get(n) != c for n, c in self.start.items()):
            return "it is said that nothing was written, and something was"
        # Saves that the run removes again have moments of their own.
        torn = self.torn(left) if self.scenario.tool != "lyco-train" else []
        for group in torn:
            fault = self.check_torn(folder, group)
            if fault:
                return fault
        if self.scenario.in_place and self.is_whole(tree(folder)):
            return None
        # A training that was stopped, and not killed, has saved its state.
        return self.check_next(folder, keeps_states=status in (1, 130))

    def check_torn(self, folder, group):
        """A set that is torn is refused, and finished by the command that the refusal names."""
        scenario, bench = self.scenario, self.bench
        status, _, errors = bench.run("lyco-inspect", [scenario.entry or group], folder)
        if "--finish" not in errors:
            return f"a mixture is read: {group}: {errors[-200:]!r}"
        if scenario.in_place:
            before = tree(folder)
            status, _, errors = bench.run(scenario.tool, scenario.arguments, folder)
            if status == 0:
                return "merged into what is torn"
            if tree(folder) != before:
                return "a refusal has changed files"
        return self.finish(folder, group)

    def finish(self, folder, group):
        status, _, errors = self.bench.run("lyco-inspect", [self.scenario.entry or group, "--finish"], folder)
        if status not in (0, 2):
            return f"--finish: {errors[-200:]!r}"
        return "torn after --finish" if self.torn(tree(folder)) else None

    def check_next(self, folder, keeps_states):
        scenario, bench = self.scenario, self.bench
        arguments = list(scenario.arguments)
        if scenario.tool == "lyco-train":
            # Of epochs, and behind those the ones of steps, which signals and errors save.
            states = sorted({p.parent for p in folder.glob("o/t-*-state/*") if not p.parent.is_symlink()})
            states = [s for s in states if (s / "train_state.json").exists() or (s / ".lyco-exchange/journal").exists()]
            if states:
                arguments += ["--resume", str(states[-1].relative_to(folder))]
        before = tree(folder)
        status, _, errors = bench.run(scenario.tool, arguments, folder)
        if status == 1 and "has taken all" in errors:
            status, _, errors = bench.run(scenario.tool, scenario.arguments, folder)
        if status == 1 and scenario.in_place and "--finish" in errors:
            # An exchange that has begun, though nothing has its place yet: what is merged into its base would be
            # replaced when it is finished.
            if tree(folder) != before:
                return "a refusal has changed files"
            fault = self.finish(folder, scenario.entry)
            return fault or (None if self.is_whole(tree(folder)) else "not whole after --finish")
        if status != 0:
            return f"the next run: status {status}: {errors[-300:]!r}"
        left = tree(folder)
        for path, content in self.whole.items():
            if not self.is_volatile(path) and left.get(path) != content:
                return f"the next run: {path} is {'not there' if path not in left else 'another'}"
        debris = hidden(left)
        if debris:
            return f"debris: {debris[:3]}"
        more = [n for n in {*left, *(empty(folder) - self.empty)}
                if n not in self.whole and not self.is_volatile(n) and not (keeps_states and "-state" in n)]
        return f"more files: {sorted(more)[:3]}" if more else None
