/* SPDX-License-Identifier: MIT */
/* Runs the fuzz target without libFuzzer: on files and folders, each given to it once, or on random inputs from a seed. What
 * it is at work on lies in a file, so that an input that crashes is not lost.
 *   chan_random [--trace] FILE_OR_FOLDER...
 *   chan_random --seed N --seconds N [--save FILE] */
#include "fuzz/target.h"

#include <dirent.h>
#include <inttypes.h>
#include <time.h>

enum { MOST_BYTES = 700 };

static size_t run_file(const char *path) {
  uint8_t bytes[1 << 16];
  FILE *f = fopen(path, "rb");
  if (f == NULL) ref_fail("%s cannot be read", path);
  size_t n = fread(bytes, 1, sizeof bytes, f);
  (void)fclose(f);
  (void)fprintf(stderr, "%s\n", path);
  (void)LLVMFuzzerTestOneInput(bytes, n);
  return 1;
}

static size_t run_path(const char *path) {
  DIR *dir = opendir(path);
  size_t n = 0;
  if (dir == NULL) return run_file(path);
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    char inner[4096];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
    n += run_file(inner);
  }
  (void)closedir(dir);
  return n;
}

/* ---- random inputs ---- */

static uint64_t state;

static uint64_t random_next(void) { /* splitmix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static void save(const char *path, const uint8_t *bytes, size_t n) {
  FILE *f = path == NULL ? NULL : fopen(path, "wb");
  if (f == NULL) return;
  (void)fwrite(bytes, 1, n, f);
  (void)fclose(f);
}

static size_t run_random(time_t seconds, const char *path) {
  uint8_t bytes[MOST_BYTES];
  size_t inputs = 0;
  struct timespec now, begun;
  (void)clock_gettime(CLOCK_MONOTONIC, &begun);
  do {
    size_t n = 20 + random_next() % (MOST_BYTES - 20);
    for (size_t i = 0; i < n; i++)
      bytes[i] = (uint8_t)random_next();
    save(path, bytes, n);
    (void)LLVMFuzzerTestOneInput(bytes, n);
    inputs++;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - begun.tv_sec < seconds);
  return inputs;
}

int main(int argc, char **argv) {
  const char *path = NULL;
  long seconds = 0;
  size_t inputs = 0;
  for (int i = 1; i < argc; i++) {
    bool more = i + 1 < argc;
    if (strcmp(argv[i], "--trace") == 0)
      fuzz_trace = true;
    else if (strcmp(argv[i], "--seed") == 0 && more)
      state = strtoull(argv[++i], NULL, 0);
    else if (strcmp(argv[i], "--seconds") == 0 && more)
      seconds = strtol(argv[++i], NULL, 0);
    else if (strcmp(argv[i], "--save") == 0 && more)
      path = argv[++i];
    else
      inputs += run_path(argv[i]);
  }
  if (seconds > 0) inputs += run_random((time_t)seconds, path);
  (void)printf("%zu inputs, no difference\n", inputs);
  return inputs > 0 ? 0 : 1;
}
