// SPDX-License-Identifier: Apache-2.0
#include "transfer/worker.h"
#include <stddef.h>

const struct role worker_roles[] = {
	{"fetch", worker_fetch}, {"push", worker_push}, {"object", worker_object},
	{"login", worker_login}, {NULL, NULL},
};
