# SPDX-License-Identifier: MIT
"""Data forms, as services send them and as we do."""

from xml.etree import ElementTree as ET

from pubkeep.xmpp import forms

KIND = "http://jabber.org/protocol/pubsub#node_config"
FORM = f"""
<x xmlns='jabber:x:data' type='form'><title>Configuration</title><instructions>Fill in</instructions>
  <field type='hidden' var='FORM_TYPE'><value>{KIND}</value></field>
  <field type='fixed' var='pubsub#help'><value>What follows is about access</value></field>
  <field type='fixed'><value>nameless</value></field>
  <field type='boolean' var='yes'><value>1</value></field>
  <field type='boolean' var='true'><value>true</value></field>
  <field type='boolean' var='no'><value>0</value></field>
  <field type='boolean' var='unset'/>
  <field type='text-single' var='title'><value>Überschrift &amp; so</value></field>
  <field type='text-single' var='empty'><value/></field>
  <field type='list-single' var='model'><value>open</value><option><value>whitelist</value></option></field>
  <field type='list-multi' var='groups'><value>Friends</value><option><value>Family</value></option></field>
  <field type='jid-multi' var='nobody'/>
  <field var='several'><value>a</value><value>b</value></field>
  <field var='undeclared'><value>x</value></field>
</x>"""
READ = {
    "yes": True,
    "true": True,
    "no": False,
    "unset": False,
    "title": "Überschrift & so",
    "empty": "",
    "model": "open",
    "groups": ("Friends",),
    "nobody": (),
    "several": ("a", "b"),
    "undeclared": "x",
}


def test_fields_are_of_the_types_that_the_form_declares() -> None:
    assert forms.read(ET.fromstring(FORM), KIND) == READ


def test_a_form_of_another_kind_says_nothing_of_this_one() -> None:
    assert forms.read(ET.fromstring(FORM), "urn:other") == {}


def test_only_what_is_given_is_submitted() -> None:
    form = forms.submit(KIND, {"yes": True, "no": False, "title": "T", "groups": ("a", "b"), "nobody": ()})

    assert form.get("type") == "submit"
    assert [(field.get("var"), field.get("type"), [value.text for value in field]) for field in form] == [
        ("FORM_TYPE", "hidden", [KIND]),
        ("yes", None, ["1"]),
        ("no", None, ["0"]),
        ("title", None, ["T"]),
        ("groups", None, ["a", "b"]),
        ("nobody", None, []),
    ]
