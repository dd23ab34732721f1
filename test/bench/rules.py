# SPDX-License-Identifier: Apache-2.0
"""Seccomp rules of a recorded spec, a line each, for filter.c."""
import json
import sys

OPS = {"SCMP_CMP_NE": "ne", "SCMP_CMP_EQ": "eq", "SCMP_CMP_MASKED_EQ": "masked"}

document = json.load(open(sys.argv[1]))
for rule in document.get("Spec", document)["linux"]["seccomp"]["syscalls"]:
    action = {"SCMP_ACT_ALLOW": "allow", "SCMP_ACT_ERRNO": "errno"}[rule["action"]]
    args = "".join(f" {a['index']} {OPS[a['op']]} {a['value']} {a.get('valueTwo', 0)}"
                   for a in rule.get("args") or ())
    for name in rule["names"]:
        print(f"{action} {rule.get('errnoRet', 0)} {name}{args}")
