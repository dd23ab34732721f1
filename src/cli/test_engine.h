// SPDX-License-Identifier: Apache-2.0
// What the engine that only pretends (test_engine.c) has, for the lines that test_face.c wants.
#pragma once
#define OCI "application/vnd.oci.image."
#define MANIFEST "sha256:f38f83b0d3fe5966646b0cc4b104aeb4076c67a2dcbc08a04af6c76f22a4333c"
#define CONFIG "sha256:592d9e3b4e0c3d6bc29978fcca1ccca60b3f58f7ff5ff9b79c0e56f9df89b6cb"
#define LAYER "sha256:deb7a8ef264ad3b64f58a6c5a68e0c6cd958ba90fbdbeb98cbe408271a25aefd"
#define CHAIN "sha256:799147e94b30efb36b31b079c798ce2cda2af23613468e02acd857f76ca19aad"
#define BUSYBOX "docker.io/library/busybox:latest"
#define CREATED INT64_C(1795562962436625639)
