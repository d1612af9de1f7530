# SPDX-License-Identifier: MIT
"""What is served and what is written are the same, both ways."""

import inspect
import re

import pytest

from pubkeep_bridge import contract
from pubkeep_bridge.service.account import Account
from pubkeep_bridge.service.analysers import Analysers
from pubkeep_bridge.service.cache import Cache
from pubkeep_bridge.service.database import Database
from pubkeep_bridge.service.job import Job
from pubkeep_bridge.service.manager import Manager
from pubkeep_bridge.service.objects import Served
from pubkeep_bridge.service.pubsub import PubSub
from pubkeep_bridge.service.sync import Sync

CLASSES = (Manager, Cache, Analysers, Database, Account, PubSub, Sync, Job)


def test_every_interface_is_served() -> None:
    written = {file.stem for file in contract.folder().glob("*.xml")}

    assert {served.interface for served in CLASSES} == written


@pytest.mark.parametrize("served", CLASSES, ids=lambda served: served.__name__)
def test_methods_and_properties_are_those_of_the_xml(served: type[Served]) -> None:
    written = contract.load(served.interface)
    methods = {name for name, each in vars(served).items() if inspect.iscoroutinefunction(each) and name[0].isupper()}
    properties = {name for name, each in vars(served).items() if isinstance(each, property)}
    setters = {name for name in properties if hasattr(served, f"set_{name}")}

    assert methods == set(written.methods)
    assert properties == set(written.properties)
    assert setters == {name for name, each in written.properties.items() if each.writable}


@pytest.mark.parametrize("served", CLASSES, ids=lambda served: served.__name__)
def test_methods_take_as_many_arguments_as_the_xml_says(served: type[Served]) -> None:
    for name, method in contract.load(served.interface).methods.items():
        signature = inspect.signature(getattr(served, name))
        taken = [each for each in signature.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD][1:]
        complete = re.findall(r"a*(?:\(.*?\)|\{.*?\}|[a-z])", method.takes)
        assert len(taken) == len(complete), name
