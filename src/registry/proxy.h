// SPDX-License-Identifier: Apache-2.0
// Which proxy a URL is asked through. Pure: who calls has read the environment.
// Specification: what Go's programs make of HTTP_PROXY, HTTPS_PROXY and NO_PROXY
// (golang.org/x/net/http/httpproxy), so that ctr and docker go the same ways.
#pragma once
#include "registry/url.h"

struct proxies {
	const char *http, *https; // of the scheme; NULL or "": none
	// Commas between: "*"; a name, which stands for what ends in it, too; ".name" and "*.name"
	// for that alone; an address; a network "10.0.0.0/8"; each with ":port". NULL: none.
	const char *none;
};
// "" for none; loopback never has one. Borrowed from `p`.
const char *proxy_for(const struct proxies *p, const struct url *u);
