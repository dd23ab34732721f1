// SPDX-License-Identifier: Apache-2.0
#include "kernel/capability.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bounding_has(unsigned cap)
{
	return prctl(PR_CAPBSET_READ, (unsigned long)cap, 0UL, 0UL, 0UL);
}

unsigned capability_last(void)
{
	// By asking, not from /proc, which a child may not have: EINVAL above the last one.
	unsigned low = 0, high = 63;
	while (low < high) {
		unsigned middle = (low + high + 1) / 2;
		if (bounding_has(middle) >= 0)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

uint64_t capability_known(void)
{
	return UINT64_MAX >> (63 - capability_last());
}

fallible capability_get(struct capability_sets *ret)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		FAIL_ERRNO("capget");
	struct capability_sets s = {
		.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
		.effective = data[0].effective | (uint64_t)data[1].effective << 32,
		.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
	unsigned last = capability_last();
	for (unsigned cap = 0; cap <= last; cap++) {
		if (bounding_has(cap) == 1)
			s.bounding |= UINT64_C(1) << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, (unsigned long)cap, 0UL, 0UL) == 1)
			s.ambient |= UINT64_C(1) << cap;
	}
	*ret = s;
	return NULL;
}

int capability_drop_bounding(uint64_t keep)
{
	unsigned last = capability_last();
	for (unsigned cap = 0; cap <= last; cap++) {
		// Asked first: dropping what isn't there would need CAP_SETPCAP all the same.
		if (keep >> cap & 1 || bounding_has(cap) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0UL, 0UL, 0UL) < 0)
			return errno;
	}
	return 0;
}

int capability_set(const struct capability_sets *sets)
{
	unsigned last = capability_last();
	uint64_t known = UINT64_MAX >> (63 - last);
	struct capability_sets s = {
		.permitted = sets->permitted & known,
		.effective = sets->effective & known,
		.inheritable = sets->inheritable & known,
		.ambient = sets->ambient & known,
	};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)s.effective, (uint32_t)s.permitted, (uint32_t)s.inheritable},
		{(uint32_t)(s.effective >> 32), (uint32_t)(s.permitted >> 32),
	         (uint32_t)(s.inheritable >> 32)},
	};
	if (syscall(SYS_capset, &header, data) < 0)
		return errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0)
		return errno;
	for (unsigned long cap = 0; cap <= last; cap++) {
		if (s.ambient >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0UL, 0UL) < 0)
			return errno;
	}
	return 0;
}

int capability_suspend(uint64_t which)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return errno;
	data[0].effective &= (uint32_t)~which;
	data[1].effective &= (uint32_t)(~which >> 32);
	return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}
