"""Pages as scripts: every command of a page is typed into a shell in its order, and what the page shows is what it must print.

A `sh` block is commands, of which each must succeed. A `console` block shows output, too: `$ command`, then what it prints on
both streams; `…` stands for any text in a line, a line `...` for any lines. A heading begins a section; what a reader does beside
the page (`before`), and what he would see afterwards (`after`), is bash by the heading's name, or by that of a command.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = "$ "

# `person COMMAND` logs in like a person with a browser: opens the address that the command prints, agrees at the simulated
# NinjaOne, and pastes the address that the browser ends at.
PRELUDE = r"""
set -euo pipefail
until_it() { local _; for _ in $(seq 200); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done; echo "not within 20 s: $*"; return 1; }
person() {
    local line in out pid
    coproc LOGIN { "$@" 2>&1; }
    exec {in}<&"${LOGIN[0]}" {out}>&"${LOGIN[1]}"
    pid=$LOGIN_PID
    while IFS= read -r line <&"$in"; do
        printf '%s\n' "$line"
        case $line in
        http*'?'*) curl -s -o /dev/null -w '%{redirect_url}\n' --data "${line#*\?}&decision=allow" "${line%%\?*}" >&"$out" ;;
        esac
    done
    exec {in}<&- {out}>&-
    wait "$pid"
}
# A reader copies the key that he is shown, and the section, if there is one.
copied() {
    if grep -q 'njp_' "$1"; then
        KEY=$(grep -oE 'njp_[a-z]+_[A-Za-z0-9_-]{43}' "$1" | tail -1)
        SECTION=$(sed -nE '/^(\[caller|key = "sha256|allow = |created = )/p' "$1")
    fi
}
"""


@dataclass
class Step:
    where: str
    command: str
    # None: what it prints is not shown.
    shown: list[str] | None = None
    code: int = 0


@dataclass
class Page:
    path: Path
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    # Exit codes other than 0, by the command as the page has it.
    codes: dict[str, int] = field(default_factory=dict)
    # Sections that nobody can type, each with the reason.
    untyped: dict[str, str] = field(default_factory=dict)

    def steps(self):
        sections, known = list(self._sections()), set()
        for heading, line, text in sections:
            typed = list(self._typed(heading, line, text))
            if not typed or heading in self.untyped:
                continue
            known |= {heading, *(step.command for step in typed)}
            if heading in self.before:
                yield Step(f"before “{heading}”", self.before[heading])
            for step in typed:
                if step.command in self.before:
                    yield Step(f"before {step.where}", self.before[step.command])
                yield step
            if heading in self.after:
                yield Step(f"after “{heading}”", self.after[heading])
        unknown = (self.before.keys() | self.after.keys()) - known | self.untyped.keys() - {heading for heading, _, _ in sections}
        assert not unknown, f"{self.path.name} has no commands under {unknown}"
        unused = self.codes.keys() - {step.command for step in self._all()}
        assert not unused, f"{self.path.name} does not have {unused}"

    def _all(self):
        return [step for heading, line, text in self._sections() for step in self._typed(heading, line, text)]

    def _sections(self):
        """(heading, its line, text), of the part above the first heading too."""
        text = self.path.read_text()
        begins = [0] + [it.start() for it in re.finditer(r"^##+ ", text, re.M)]
        for begin, end in zip(begins, [*begins[1:], len(text)]):
            part = text[begin:end]
            heading = part.split("\n", 1)[0].lstrip("# ")
            yield heading, text.count("\n", 0, begin), part

    def _typed(self, heading, line, text):
        for block in re.finditer(r"^( *)```(sh|console)\n(.*?)^ *```$", text, re.M | re.S):
            at = line + text.count("\n", 0, block.start()) + 2
            rows = [row.removeprefix(block[1]) for row in block[3].splitlines()]
            if block[2] == "sh":
                command = "\n".join(rows)
                yield Step(f"{self.path.name}:{at}", command, code=self.codes.get(command, 0))
                continue
            steps = []
            for number, row in enumerate(rows, at):
                if row.startswith(PROMPT):
                    steps.append(Step(f"{self.path.name}:{number}", row.removeprefix(PROMPT), []))
                else:
                    assert steps, f"{self.path.name}:{number}: a console block begins with a command"
                    steps[-1].shown.append(row)
            for step in steps:
                step.code = self.codes.get(step.command, 0)
                yield step


def typed(command):
    """As a person at a terminal does it: a login has a browser at hand."""
    command = re.sub(r"^(?=.* login \S+ --paste)", "person ", command, flags=re.M)
    # What does not end goes on in a window of its own.
    return re.sub(r"^(.*(?:ninjaone-proxy run|-- sandbox))$", r"\1 &", command, flags=re.M)


def script(steps, out):
    """bash that types all steps; what each prints goes to a file of its own in the folder `out`."""
    lines = [PRELUDE]
    for number, step in enumerate(steps):
        lines.append(f": >{out}/{number:03}.begun")
        body = f"{{\n{typed(step.command)}\n}} >{out}/{number:03} 2>&1"
        if step.code:
            lines.append(f"set +e\n{body}\ncode=$?\nset -e\ntest $code = {step.code}")
        else:
            lines.append(body)
        lines.append(f"copied {out}/{number:03}")
    lines.append(f": >{out}/walked")
    return "\n".join(lines) + "\n"


def judge(steps, out):
    """Prints the transcript; what is wrong, a sentence each."""
    wrong = []
    for number, step in enumerate(steps):
        if not (out / f"{number:03}.begun").exists():
            break
        said = out / f"{number:03}"
        printed = said.read_text(errors="replace") if said.exists() else ""
        print(f"\n── {step.where}\n{step.command}\n{printed}", end="")
        last = not (out / f"{number + 1:03}.begun").exists() and not (out / "walked").exists()
        if last:
            wrong.append(f"{step.where}: does not end with {step.code}: {step.command}")
        elif step.shown is not None and not matches(step.shown, printed.splitlines()):
            wrong.append(f"{step.where}: the page shows\n" + "\n".join(step.shown) + f"\nbut it prints\n{printed}")
    if not wrong and not (out / "walked").exists():
        wrong.append("the walk did not begin")
    return wrong


def matches(shown, printed):
    """Whether the page's lines say what was printed; blank lines at the end do not count."""
    def regular(row):
        return ".*".join(re.escape(part) for part in row.rstrip().split("…"))

    pattern = "".join(r"(?:.*\n)*?" if row == "..." else regular(row) + r"[ \t]*\n" for row in shown)
    text = "".join(f"{row.rstrip()}\n" for row in printed)
    return re.fullmatch(pattern + r"\n*", text) is not None
