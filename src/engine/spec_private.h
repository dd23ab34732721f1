// SPDX-License-Identifier: Apache-2.0
// Between the spec*.c files.
#pragma once
#include "engine/spec.h"

// spec_env.c: the image's environment below, the file's and the flags' above it.
fallible spec_apply_env(struct oci_spec *spec, const struct spec_request *r,
                        const struct spec_source *source);
// spec_user.c: the image's or the flag's user, as ctr looks them up.
fallible spec_apply_user(struct oci_spec *spec, const struct spec_request *r,
                         const struct spec_source *source);
// spec_mount.c: --mount, -v, and the host's files of --net-host.
fallible spec_apply_mounts(struct oci_spec *spec, const struct spec_request *r);
void spec_apply_host_network(struct oci_spec *spec, const struct spec_host *host);
// spec.c: --annotation and --label.
fallible spec_apply_annotations(struct oci_spec *spec, const struct spec_request *r);
// spec_limit.c: CPU and memory.
fallible spec_apply_limits(struct oci_spec *spec, const struct spec_request *r);
// spec_namespace.c: --with-ns, --uidmap, --gidmap.
fallible spec_apply_namespaces(struct oci_spec *spec, const struct spec_request *r);
// spec_privilege.c: capabilities, devices, --privileged.
fallible spec_apply_privileges(struct oci_spec *spec, const struct spec_request *r,
                               const struct spec_host *host);
// spec_seccomp.c
fallible spec_apply_seccomp(struct oci_spec *spec, const struct spec_request *r);
