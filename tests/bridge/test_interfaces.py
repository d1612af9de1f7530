# SPDX-License-Identifier: MIT
"""The written contract: accepted by the code generators, complete, and true of the code."""

import re
import subprocess
from pathlib import Path

import pytest

from pubkeep_bridge import contract
from pubkeep_bridge.client import wire
from pubkeep_bridge.service import cache, manager, pubsub, rows
from pubkeep_bridge.service.errors import NAMES

FILES = sorted(contract.folder().glob("im.pubkeep.Pubkeep1.*.xml"))
INTERFACES = {file.stem.rpartition(".")[2]: file.read_text() for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_gdbus_codegen_and_qdbusxml2cpp_accept_it(file: Path, tmp_path: Path) -> None:
    gdbus = ["gdbus-codegen", "--c-namespace", "P", "--interface-prefix", "im.pubkeep.Pubkeep1.", "--output-directory"]
    subprocess.run([*gdbus, str(tmp_path), "--generate-c-code", "p", str(file)], check=True)
    subprocess.run([*gdbus, str(tmp_path), "--generate-docbook", "d", str(file)], check=True)

    qt = ["qdbusxml2cpp", "-i", "pubkeep-qt.h", "-p", str(tmp_path / "proxy"), str(file)]
    assert subprocess.run(qt, check=True, capture_output=True, text=True).stderr == ""


def test_each_interface_has_a_file_of_its_stem() -> None:
    folder = Path(pubsub.__file__).parent

    for name in INTERFACES:
        assert (folder / f"{name.lower()}.py").exists()


def test_every_error_is_documented_somewhere_and_every_documented_one_exists() -> None:
    leaves = {name.rpartition(".")[2] for name in NAMES.values()}
    text = "\n".join(INTERFACES.values())

    assert {leaf for leaf in leaves if not re.search(rf"\b{leaf}\b", text)} == set()
    for listed in re.findall(r"Errors: ([A-Z][\w, ()-]*?)[.:\n]", text):
        named = set(re.findall(r"\b[A-Z][A-Za-z]+\b", re.sub(r"\([^)]*\)?", "", listed)))
        assert named <= leaves, listed


def documentation(interface: str, member: str) -> str:
    found = re.search(rf"<!--\s*{member}:(.*?)-->", INTERFACES[interface], re.DOTALL)
    assert found, f"{interface}.{member} is not documented"
    return found[1]


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_method_argument_signal_and_property_is_documented(interface: str) -> None:
    element = contract.load(f"{contract.BUS_NAME}.{interface}")

    for member in [*element.methods, *element.signals]:
        words = documentation(interface, member)
        documented = set(re.findall(r"@(\w+):", words))
        if re.search(
            r"^ *since: ", words, re.MULTILINE
        ):  # to gdbus-codegen @since is the version that brought a member
            documented.add("since")
        body = re.search(rf'<(method|signal) name="{member}"(/>|>.*?</\1>)', element.xml, re.DOTALL)
        assert body
        assert documented == set(re.findall(r'<arg name="(\w+)"', body[0])), member
    for member in element.properties:
        documentation(interface, member)


@pytest.mark.parametrize(
    ("interface", "member", "table"),
    [
        ("Manager", "AddAccount", manager.ADD_ACCOUNT),
        ("PubSub", "GetItems", pubsub.GET_ITEMS),
        ("PubSub", "Publish", pubsub.PUBLISH),
        ("PubSub", "Discover", pubsub.DISCOVER),
        ("Cache", "Search", cache.SEARCH),
        ("Cache", "Lookup", cache.LOOKUP),
        ("Cache", "GetNodes", cache.GET_NODES),
        ("Cache", "Forget", cache.FORGET),
    ],
)
def test_every_option_is_documented_with_its_type(interface: str, member: str, table: dict[str, str]) -> None:
    text = documentation(interface, member)

    documented = dict(re.findall(r"(\w+) \((a\{sv\}|as|[bsutxq])[,):]", text))
    documented = {key: kind for key, kind in documented.items() if key not in ("a", "the")}
    assert documented == table
    assert {key: wire.OPTIONS.get(key, "s") for key in table} == table  # the client sends them so


@pytest.mark.parametrize(
    ("interface", "member", "table"),
    [
        ("Cache", "GetNodes", rows.NODE),
        ("Analysers", "Describe", rows.ANALYSER),
        ("Sync", "Explain", rows.EXPLANATION),
        ("PubSub", "GetSubscriptions", rows.SUBSCRIPTION),
        ("PubSub", "Discover", rows.DISCOVERY | rows.ENTRY),
        ("PubSub", "GetItems", rows.EXTRA),
        ("Cache", "Search", rows.FOUND),
    ],
)
def test_every_key_of_an_answer_is_documented_with_its_type(interface: str, member: str, table: dict[str, str]) -> None:
    text = " ".join(documentation(interface, member).split())

    for key, kind in table.items():
        assert re.search(rf"\b{key} {kind}\b", text), f"{key} {kind}"
