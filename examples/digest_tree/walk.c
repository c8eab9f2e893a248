/* SPDX-License-Identifier: MIT */
/* Walking a tree without recursion and with one open directory at a time, however deep it is.
 *
 * Directories that wait lie on a stack of bytes: only their last names, and how much of the current path is their
 * parent's. That is enough: when one is taken off, all that was below its elder sister is done, so that the current
 * path still begins with their parent's. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

typedef struct {
  char *bytes;
  size_t used, room;
} buffer_t;

typedef struct {
  size_t parent; /* so many bytes of the path are the parent's */
  size_t length; /* of the name that lies below this on the stack, its NUL included */
} waiting_t;

typedef struct {
  buffer_t path; /* a string: of the directory that is being read, or of something in it */
  buffer_t todo; /* the stack: name, waiting_t, name, waiting_t ... */
  bool sizes;
  found_cb cb;
  void *data;
} walk_t;

static bool append(buffer_t *b, const void *bytes, size_t n) {
  if (b->bytes == NULL || b->room - b->used < n) {
    size_t room = (b->used + n) * 2;
    char *p = realloc(b->bytes, room);
    if (p == NULL) return false;
    b->bytes = p;
    b->room = room;
  }
  memcpy(b->bytes + b->used, bytes, n);
  b->used += n;
  return true;
}

/* Makes the path parent/name. `used` does not count the NUL. */
static bool set_path(walk_t *w, size_t parent, const char *name) {
  w->path.used = parent;
  if (parent > 0 && w->path.bytes[parent - 1] != '/' && !append(&w->path, "/", 1)) return false;
  if (!append(&w->path, name, strlen(name) + 1)) return false;
  w->path.used--;
  return true;
}

static bool push(walk_t *w, size_t parent, const char *name) {
  waiting_t top = {parent, strlen(name) + 1};
  size_t before = w->todo.used;
  if (append(&w->todo, name, top.length) && append(&w->todo, &top, sizeof top)) return true;
  w->todo.used = before;
  return false;
}

/* Makes the path that of the directory on top, and takes it off. */
static bool pop(walk_t *w) {
  waiting_t top;
  w->todo.used -= sizeof top;
  memcpy(&top, w->todo.bytes + w->todo.used, sizeof top);
  w->todo.used -= top.length;
  return set_path(w, top.parent, w->todo.bytes + w->todo.used);
}

static int report(walk_t *w, found_kind_t kind, uint64_t bytes, int error) {
  found_t found = {kind, w->path.bytes, bytes, error};
  return w->cb(&found, w->data);
}

static int found_file(walk_t *w, size_t parent, const char *name, uint64_t bytes) {
  return set_path(w, parent, name) ? report(w, FOUND_FILE, bytes, 0) : UV_ENOMEM;
}

static int found_directory(walk_t *w, size_t parent, const char *name) {
  return push(w, parent, name) ? 0 : UV_ENOMEM;
}

/* Looks at parent/name, which is `name` as seen from the open directory `dir`. */
static int look(walk_t *w, int dir, size_t parent, const char *name) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    int error = errno;
    return set_path(w, parent, name) ? report(w, FOUND_ERROR, 0, error) : UV_ENOMEM;
  }
  if (S_ISDIR(st.st_mode)) return found_directory(w, parent, name);
  return S_ISREG(st.st_mode) ? found_file(w, parent, name, (uint64_t)st.st_size) : 0;
}

/* Most file systems tell the type along with the name, which saves a system call for each file. */
static int look_at_entry(walk_t *w, int dir, size_t parent, const struct dirent *d) {
#ifdef _DIRENT_HAVE_D_TYPE
  if (d->d_type == DT_DIR) return found_directory(w, parent, d->d_name);
  if (d->d_type == DT_REG && !w->sizes) return found_file(w, parent, d->d_name, 0);
  if (d->d_type != DT_REG && d->d_type != DT_UNKNOWN) return 0;
#endif
  return look(w, dir, parent, d->d_name);
}

static DIR *open_directory(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return NULL;
  DIR *dir = fdopendir(fd);
  if (dir == NULL) {
    int error = errno;
    close(fd);
    errno = error;
  }
  return dir;
}

static bool is_dots(const char *name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Reads the directory whose path is the current one. */
static int read_directory(walk_t *w) {
  size_t parent = w->path.used;
  int r = report(w, FOUND_DIRECTORY, 0, 0);
  if (r != 0) return r;
  DIR *dir = open_directory(w->path.bytes);
  if (dir == NULL) return report(w, FOUND_ERROR, 0, errno);
  for (;;) {
    errno = 0;
    struct dirent *d = readdir(dir);
    if (d == NULL) break;
    if (!is_dots(d->d_name) && (r = look_at_entry(w, dirfd(dir), parent, d)) != 0) break;
  }
  if (r == 0 && errno != 0) {
    int error = errno;
    w->path.bytes[parent] = '\0';
    r = report(w, FOUND_ERROR, 0, error);
  }
  closedir(dir);
  return r;
}

int walk(const char *root, bool sizes, found_cb cb, void *data) {
  walk_t w = {.sizes = sizes, .cb = cb, .data = data};
  int r = look(&w, AT_FDCWD, 0, root);
  while (r == 0 && w.todo.used > 0)
    r = pop(&w) ? read_directory(&w) : UV_ENOMEM;
  free(w.path.bytes);
  free(w.todo.bytes);
  return r;
}
