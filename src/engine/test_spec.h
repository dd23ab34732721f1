// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of spec.h: the images of the golden table, and documents as ctr left them.
#pragma once
#include "engine/spec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define BUSYBOX "docker.io/library/busybox:latest"

extern const char *golden;                // test/golden/ctr-2.1.1
extern const char test_seccomp_profile[]; // /srv/seccomp.json of the table

// spec_make() for container default/demo of one of the table's images, with its passwd and group.
fallible make(const struct spec_request *r, const char *image, const struct spec_host *host,
              struct oci_spec **ret);
char *read_golden(const char *name); // the caller's
struct json *parse(const char *text);
// A copy in which what is a set (capabilities, gids, names of calls) is sorted.
struct json *normal(const struct json *value);
