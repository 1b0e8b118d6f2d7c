"""What a configuration names stays a name: in paths, in commands and on the page it is text and nothing else."""

from __future__ import annotations

import html.parser
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import report_sample
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from report_sample import Sample

from trainability import cli, config, plan, report
from trainability.cell import Cell
from trainability.component import LONGEST_SLUG, Component
from trainability.expressions import Expression

MARKUP = "\"'><script>owned()</script><img src=x onerror=owned()>&lt;b&gt; {{ 7*7 }} {% x %} `</code>"
SHELL = "$(touch owned) `touch owned`; touch owned | \" ' \\ {wildcards.x} {x} ../../owned"
HOSTILE = f"{MARKUP} {SHELL}"
OWN = '''
from trainability.api import Activation


class Bend(Activation):
    """Half of the input, under any name."""

    formula = "x / 2"
    reference = "a test"
    text: str = ""

    def value(self, z):
        return z / 2

    def derivative(self, z):
        return z * 0 + 0.5
'''


class Named(Component):
    """A component with a parameter that may be any text."""

    name: Literal["named"] = "named"
    text: str = ""


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(
    st.one_of(
        st.text(), st.sampled_from(["..", "../..", "/etc/passwd", "a/b", "\x00", "-rf", "CON", "\u202e", HOSTILE])
    )
)
def test_a_slug_is_a_part_of_a_file_name(text: str) -> None:
    slug = Named(text=text).slug
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.+-]*", slug)
    assert len(slug) <= LONGEST_SLUG
    assert text in ("", Named().text) or slug != Named().slug


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_two_texts_are_two_slugs(one: str, other: str) -> None:
    assert (one == other) == (Named(text=one).slug == Named(text=other).slug)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A class of one's own in a module of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "hostilelab.py").write_text(OWN)
    yield "hostilelab:Bend"
    sys.modules.pop("hostilelab", None)


def test_a_cell_lies_in_its_folder(own: str, make_cell: Any) -> None:
    cell: Cell = make_cell(activation={"name": own, "text": HOSTILE})
    folder = Path("results/cells")
    assert (folder / cell.key).resolve().parent == folder.resolve()
    assert Path("/") not in Path(cell.inputs).parents
    assert ".." not in Path(cell.inputs).parts
    assert shlex.quote(cell.key) == cell.key
    assert len(f"{cell.key}.unfinished.json") < 250


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.code: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.cdata_elem == "script":
            self.scripts.append(data)
        elif self.elements and self.elements[-1][0] == "code":
            self.code.append(data)


@pytest.fixture
def page(own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """The report of an experiment whose every text is hostile."""
    claims = tuple(
        report_sample.claim(
            name,
            statement=f"{name} {HOSTILE}",
            source=HOSTILE,
            note=HOSTILE,
            rule={"name": "exceeds", "by": 0.02, "why": HOSTILE},
            published={"says": HOSTILE, "figures": [{"by": 0.1}]},
        )
        for name in ("faster", "better")
    )
    monkeypatch.setattr(report_sample, "CLAIMS", claims)
    studies = {
        "activations": {
            "question": f"Which? {HOSTILE}",
            "grid": {
                "activation": [{"name": own, "text": HOSTILE}, "elu"],
                "init": ["kaiming_normal", "xavier_normal"],
            },
            "exclude": [{"when": "activation == 'elu' and init == 'xavier_normal'", "reason": HOSTILE}],
        }
    }
    sample = Sample(tmp_path / "results", title=HOSTILE[:200], studies=studies).make()
    report.render(*sample.arguments, shlex.join(["snakemake", "--configfile", f"{SHELL}.yaml"]))
    return Page(sample.page.read_text())


def test_texts_are_no_markup(page: Page) -> None:
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert all(set(attributes) <= {"type", "id"} for attributes in scripts)
    assert len(page.scripts) == len(scripts)
    assert not [script for script in page.scripts if "owned" in script], "no text is in a script, as it is or at all"
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
            assert not attributes.get(name, "").startswith("data:text/html")
    text = "".join(page.text)
    assert "owned()</script><img src=x onerror=owned()>" in text
    assert "{{ 7*7 }}" in text
    assert HOSTILE[:200].strip() in text


def test_printed_commands_are_what_they_seem(page: Page) -> None:
    commands = [text for text in page.code if text.startswith(("snakemake ", "trainability "))]
    assert len(commands) > 3
    for command in commands:
        words = shlex.split(command)
        assert words[0] in ("snakemake", "trainability")
        if "--configfile" in words and words[0] == "trainability":
            assert words[words.index("--configfile") + 1 :] == ["config.yaml", f"{SHELL}.yaml"]
        if words[0] == "snakemake":
            assert words[1:3] == ["--configfile", f"{SHELL}.yaml"]
            assert all(re.fullmatch(r"-[fR]|results/[\w./+-]+", word) for word in words[3:]), words
    selections = [shlex.split(command) for command in commands if "--select" in command]
    assert [words[1:3] for words in selections] == [["cells", "--select"], ["rerun", "--select"]]
    for words in selections:
        assert words[4] == "--configfile"
        assert Expression(words[3], ["activation", "init"])(
            {"activation": f"hostilelab:Bend(text={HOSTILE})", "init": "kaiming_normal"}
        )


def test_the_plan_and_the_configuration_hold_texts_as_they_are(own: str, tmp_path: Path) -> None:
    values = report_sample.CONFIG | {"title": HOSTILE[:200]}
    values = {**values, "base": {**values["base"], "activation": {"name": own, "text": HOSTILE}}}
    read = config.read(values)
    plan.write(plan.make_plan(read), read, tmp_path / "plan.csv", tmp_path / "config.json", tmp_path / "log")
    assert config.load([tmp_path / "config.json"]) == read


def test_what_begins_with_a_dash_is_no_option() -> None:
    parser = cli._parser()
    words = ["claims", "--config=c", "--tables=t", "--analyses=a", "--out=o", "--", "--out", "-x.yaml"]
    assert parser.parse_args(words).claims == [Path("--out"), Path("-x.yaml")]
    words = ["data", "--dataset=digits", "--source=-rf /", "--download-to=d", "--out=-o"]
    parsed = parser.parse_args(words)
    assert (parsed.source, parsed.out) == ("-rf /", Path("-o"))


# --- through Snakemake


def claims_file(folder: Path, name: str) -> None:
    claim = report_sample.claim("own", study="activation_by_init").model_dump(mode="json", exclude_defaults=True)
    claim["evidence"] = {"name": "contrast", "treatment": "activation == 'tanh'", "control": "activation == 'relu'"}
    claim["rule"] = {"name": "exceeds", "by": 0.01, "why": HOSTILE}
    (folder / name).write_text(yaml.safe_dump({"claims": [claim]}))


def test_a_plan_of_hostile_names_is_a_plan(tmp_path: Path) -> None:
    """Braces are Snakemake's wildcards, dashes begin options, and dollars and quotes are the shell's."""
    from project import Project

    project = Project(tmp_path)
    values = yaml.safe_load((project.code / "experiments/smoke.yaml").read_text())
    claims = "--out $(touch owned) 'a' \"b\"; touch owned.yaml"
    claims_file(project.work, claims)
    values |= {"title": HOSTILE[:200], "claims": [claims], "sources": {"digits": SHELL}}
    values["studies"]["activation_by_init"]["question"] = HOSTILE
    name = "{x} $(touch owned); 'a'"
    (project.code / f"experiments/{name}.yaml").write_text(yaml.safe_dump(values))
    printed = project.snakemake("--cores", 1, "results/tables/config.json", config=name)
    assert "Traceback" not in printed
    assert config.load([project.work / "results/tables/config.json"]).title == HOSTILE[:200].strip()
    assert project.jobs(config=name)["claims"] == 1
    assert {path.name for path in project.work.iterdir()} <= {"results", ".snakemake", claims}
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("base: {activation: rleu}", "base.activation: no activation is called rleu: did you mean 'relu'?"),
        ("base: {depth: 3, depth: 4}", "the key 'depth' stands twice in one mapping (line 1): keep one of them"),
        ("base: {yes: 1}", "the key yes is no text but true or false (line 1): put it in quotes"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
            "more than 100000 keys, values and items, with aliases followed",
        ),
    ],
    ids=["a typo", "a key twice", "yes as a key", "a bomb of aliases"],
)
def test_snakemake_says_what_check_says(text: str, part: str, tmp_path: Path) -> None:
    from project import Project

    project = Project(tmp_path)
    (project.code / "experiments/bad.yaml").write_text(text)
    printed = project.snakemake("--dry-run", config="bad", status=1)
    assert part in printed
    assert "Traceback" not in printed
    assert not list(project.work.glob("results"))
