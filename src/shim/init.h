// SPDX-License-Identifier: Apache-2.0
#pragma once

// Init's last step: shim/protocol.h, SHIM_INIT.
_Noreturn void init_execute(int argc, char *argv[]);
