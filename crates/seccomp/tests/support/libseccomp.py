"""Compiles profiles with libseccomp the way runc does: a profile per line of standard input, as JSON; per line of output
the filter as hexadecimal digits, or the reason why there is none."""

import ctypes
import json
import os
import sys

library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_init.argtypes = [ctypes.c_uint32]
library.seccomp_release.argtypes = [ctypes.c_void_p]
library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]


class Comparison(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


library.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.POINTER(Comparison),
]

ACTIONS = {
    "KILL": 0,
    "KILL_THREAD": 0,
    "KILL_PROCESS": 0x80000000,
    "TRAP": 0x00030000,
    "ERRNO": 0x00050000,
    "NOTIFY": 0x7FC00000,
    "TRACE": 0x7FF00000,
    "LOG": 0x7FFC0000,
    "ALLOW": 0x7FFF0000,
}
OPERATORS = ["", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]
SCMP_FLTATR_CTL_OPTIMIZE = 8
NO_CALL = -1


class Refused(Exception):
    pass


def action(name, errno):
    name = name.removeprefix("SCMP_ACT_")
    return ACTIONS[name] | (1 if errno is None else errno) if name in ("ERRNO", "TRACE") else ACTIONS[name]


def check(result, what):
    if result < 0:
        raise Refused(f"{what}: {os.strerror(-result)}")


def filter_of(profile):
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    try:
        for architecture in profile.get("tokens", []):
            result = library.seccomp_arch_add(context, architecture)
            if result != -17:  # EEXIST: the native one
                check(result, "seccomp_arch_add")
        if profile.get("optimize"):
            check(library.seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "seccomp_attr_set")
        for rule in profile.get("syscalls") or []:
            value = action(rule["action"], rule.get("errnoRet"))
            if value == default:
                continue
            for name in rule["names"]:
                number = library.seccomp_syscall_resolve_name(name.encode())
                if number != NO_CALL:
                    add(context, value, number, rule.get("args") or [])
        reading, writing = os.pipe()
        # A filter has at most 32 KiB, less than a pipe holds.
        result = library.seccomp_export_bpf(context, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            check(result, "seccomp_export_bpf")
            return file.read()
    finally:
        library.seccomp_release(context)


def add(context, value, number, args):
    conditions = [
        Comparison(
            arg["index"],
            OPERATORS.index(arg["op"].removeprefix("SCMP_CMP_")),
            arg["value"],
            arg.get("valueTwo") or 0,
        )
        for arg in args
    ]
    indexes = [condition.arg for condition in conditions]
    groups = [[one] for one in conditions] if len(set(indexes)) < len(indexes) else [conditions]
    for group in groups:
        array = (Comparison * len(group))(*group)
        check(
            library.seccomp_rule_add_array(context, value, number, len(group), array), "seccomp_rule_add_array"
        )


for line in sys.stdin:
    try:
        print(filter_of(json.loads(line)).hex(), flush=True)
    except Refused as refusal:
        print(refusal, flush=True)
