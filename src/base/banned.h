// SPDX-License-Identifier: Apache-2.0
// Functions that coracle does not use, refused at compile time. Included by force (-include) into
// every file after which a system header may still declare them: so by macros, not by poison.
#pragma once
#ifndef __ASSEMBLER__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define BANNED_(name) use_of_##name##_is_banned_see_base_banned_h
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef strtol
#undef strtoul
#undef system
#undef popen
#undef tmpnam
#undef mktemp
#undef realpath
#define strcpy(...) BANNED_(strcpy)
#define strcat(...) BANNED_(strcat)
#define strncpy(...) BANNED_(strncpy)
#define strncat(...) BANNED_(strncat)
#define sprintf(...) BANNED_(sprintf)
#define vsprintf(...) BANNED_(vsprintf)
#define strtok(...) BANNED_(strtok)
#define atoi(...) BANNED_(atoi)
#define atol(...) BANNED_(atol)
#define strtol(...) BANNED_(strtol)
#define strtoul(...) BANNED_(strtoul)
#define system(...) BANNED_(system)
#define popen(...) BANNED_(popen)
#define tmpnam(...) BANNED_(tmpnam)
#define mktemp(...) BANNED_(mktemp)
#define realpath(...) BANNED_(realpath)
#endif
