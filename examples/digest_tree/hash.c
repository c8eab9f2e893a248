/* SPDX-License-Identifier: MIT */
/* SHA-256 of files. A tree is mostly small files, so what counts is what each file costs besides its bytes: open,
 * fstat, one read, close, and no set-up of libcrypto, whose context is made once and rewound. */
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)128 * 1024) /* fits in a core's second cache: with 256 KiB it took a quarter longer */

int hasher_create(_Atomic uint64_t *progress, hasher_t **hasher) {
  hasher_t *h = malloc(sizeof *h);
  if (h == NULL) return UV_ENOMEM;
  *h = (hasher_t){EVP_MD_CTX_new(), malloc(BLOCK), progress};
  int r = h->md == NULL || h->block == NULL ? UV_ENOMEM : 0;
  if (r == 0 && EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) r = UV_ENOSYS;
  if (r == 0)
    *hasher = h;
  else
    hasher_free(h);
  return r;
}

void hasher_free(hasher_t *h) {
  EVP_MD_CTX_free(h->md);
  free(h->block);
  free(h);
}

void hash_thread_end(void) {
  OPENSSL_thread_stop();
}

void hasher_drop(void *item, void *data) {
  (void)data;
  hasher_free(*(hasher_t **)item);
}

/* The walker saw a regular file there. What has come in its place must not block us (a pipe: O_NONBLOCK) nor
 * lead elsewhere (a link: O_NOFOLLOW). */
static int open_file(const char *path, uint64_t *size) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  int error = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : ESTALE;
  if (error != 0) {
    close(fd);
    errno = error;
    return -1;
  }
  *size = (uint64_t)st.st_size;
  return fd;
}

static ssize_t read_block(hasher_t *h, int fd) {
  ssize_t n;
  do
    n = read(fd, h->block, BLOCK);
  while (n < 0 && errno == EINTR);
  return n;
}

/* To the end, not to `size`: files in /proc have none. Where the size was right, the read that finds the end is
 * saved. */
static int hash_content(hasher_t *h, const uvf_task_t *task, int fd, uint64_t size) {
  uint64_t total = 0;
  for (;;) {
    ssize_t n = read_block(h, fd);
    if (n < 0) return errno;
    if (n == 0) return 0;
    if (EVP_DigestUpdate(h->md, h->block, (size_t)n) != 1) return EIO;
    total += (uint64_t)n;
    atomic_fetch_add_explicit(h->progress, (uint64_t)n, memory_order_relaxed);
    if (total == size) return 0;
    if (uvf_task_cancelled(task)) return UV_ECANCELED;
  }
}

int hash_file(hasher_t *h, const uvf_task_t *task, const char *path, unsigned char *digest) {
  uint64_t size;
  int fd = open_file(path, &size);
  if (fd < 0) return errno;
#ifdef POSIX_FADV_SEQUENTIAL
  if (size > BLOCK) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  /* NULL: the same digest again, from its start. */
  int r = EVP_DigestInit_ex(h->md, NULL, NULL) == 1 ? hash_content(h, task, fd, size) : EIO;
  close(fd);
  if (r == 0 && EVP_DigestFinal_ex(h->md, digest, NULL) != 1) r = EIO;
  return r;
}
