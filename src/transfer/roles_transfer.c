// SPDX-License-Identifier: Apache-2.0
#include "transfer/worker.h"
#include <stddef.h>

const struct role worker_roles[] = {
	{"archive", worker_archive},
	{"unpack", worker_unpack},
	{"diff", worker_diff},
	{"config", worker_config},
	{"repack", worker_repack},
	{"convert", worker_convert},
	{NULL, NULL},
};
