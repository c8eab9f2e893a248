/* SPDX-License-Identifier: MIT */
/* SHA-256 of files, by libcrypto. Each worker thread has a hasher of its own and uses it for all of its files. */
#ifndef DIGEST_TREE_HASH_H
#define DIGEST_TREE_HASH_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uvflow.h>

typedef struct {
  EVP_MD_CTX *md;
  unsigned char *block;
  const uvf_tx_t *results;    /* closed: nobody wants the result any more. Must outlive the hasher */
  _Atomic uint64_t *progress; /* bytes hashed, of all workers */
} hasher_t;

/* Returns 0, UV_ENOMEM or UV_ENOSYS (libcrypto does not offer SHA-256 here). End it in each case. */
int hasher_init(hasher_t *h, const uvf_tx_t *results, _Atomic uint64_t *progress);
void hasher_end(hasher_t *h);

/* Returns 0, an errno value (positive: this file cannot be read) or UV_EPIPE (`results` was closed meanwhile). */
int hash_file(hasher_t *h, const char *path, unsigned char *digest);

#endif
