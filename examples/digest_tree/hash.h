/* SPDX-License-Identifier: MIT */
/* SHA-256 of files, by libcrypto. A hasher serves one task after the other. */
#ifndef DIGEST_TREE_HASH_H
#define DIGEST_TREE_HASH_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uvflow.h>

typedef struct {
  EVP_MD_CTX *md;
  unsigned char *block;
  _Atomic uint64_t *progress; /* bytes hashed, of all hashers; must outlive them */
} hasher_t;

/* Returns 0, UV_ENOMEM or UV_ENOSYS (libcrypto does not offer SHA-256 here). */
int hasher_create(_Atomic uint64_t *progress, hasher_t **hasher);
void hasher_free(hasher_t *h);

/* Frees what libcrypto keeps for the calling thread. The threads of an executor may still be on their way out when the program ends. */
void hash_thread_end(void);

/* A drop callback (uvf_drop_cb) for channels whose items are hasher_t pointers. */
void hasher_drop(void *item, void *data);

/* Returns 0, an errno value (positive: this file cannot be read) or UV_ECANCELED (the task was asked to stop). */
int hash_file(hasher_t *h, const uvf_task_t *task, const char *path, unsigned char *digest);

#endif
