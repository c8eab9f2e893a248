/* SPDX-License-Identifier: MIT */
/* The pairing heap, against a plain array that is searched for its smallest key. */
#include "support/uvf_test.h"

#include "base/heap.h"
#include "base/list.h"

enum { NODES = 512 };

/* The heap and what must be in it. */
typedef struct {
  uvf__heap_t heap;
  uvf__heap_node_t nodes[NODES];
  bool in[NODES];
  int count;
  uint64_t seed;
} both_t;

static uint64_t next_random(both_t *b) {
  b->seed = b->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return b->seed >> 33;
}

static void insert(both_t *b, int i, uint64_t key) {
  uvf__heap_insert(&b->heap, &b->nodes[i], key);
  b->in[i] = true;
  b->count++;
}

static void take_out(both_t *b, int i) {
  uvf__heap_remove(&b->heap, &b->nodes[i]);
  b->in[i] = false;
  b->count--;
}

static uint64_t smallest(const both_t *b) {
  uint64_t key = UINT64_MAX;
  for (int i = 0; i < NODES; i++)
    if (b->in[i] && b->nodes[i].key < key) key = b->nodes[i].key;
  return key;
}

static int root_of(const both_t *b) {
  return (int)(b->heap.root - b->nodes);
}

static void check_root(const both_t *b) {
  if (b->count == 0) {
    assert_null(b->heap.root);
    return;
  }
  assert_non_null(b->heap.root);
  assert_true(b->in[root_of(b)]);
  assert_true(b->heap.root->key == smallest(b));
  for (int i = 0; i < NODES; i++) /* of equal ones the first */
    assert_false(b->in[i] && b->nodes[i].key == b->heap.root->key && b->nodes[i].order < b->heap.root->order);
}

/* Counts the nodes of the tree, and checks that each knows its parent or left sibling and is not before its parent. */
static int tree_size(uvf__heap_node_t *root) {
  uvf__heap_node_t *todo[NODES];
  int left = 0, n = 0;
  if (root != NULL) todo[left++] = root;
  while (left > 0) {
    uvf__heap_node_t *node = todo[--left];
    n++;
    for (uvf__heap_node_t *c = node->child, *prev = node; c != NULL; prev = c, c = c->next) {
      assert_ptr_equal(c->prev, prev);
      assert_true(c->key >= node->key);
      todo[left++] = c;
    }
  }
  return n;
}

static void empty_heap_has_no_root(void **state) {
  uvf__heap_t heap = {NULL, 0};
  uvf__heap_node_t node;
  (void)state;
  uvf__heap_insert(&heap, &node, 7);
  assert_ptr_equal(heap.root, &node);
  uvf__heap_remove(&heap, &node);
  assert_null(heap.root);
}

/* Takes the root until none of n nodes is left: keys must come in ascending order. */
static void drain_sorted(both_t *b, int n) {
  uint64_t last = 0;
  for (int i = 0; i < n; i++) {
    assert_int_equal(tree_size(b->heap.root), n - i);
    assert_true(b->heap.root->key >= last);
    last = b->heap.root->key;
    take_out(b, root_of(b));
  }
  assert_null(b->heap.root);
}

static void ascending_keys_come_out_sorted(void **state) {
  static both_t b;
  (void)state;
  memset(&b, 0, sizeof b);
  for (int i = 0; i < NODES; i++)
    insert(&b, i, (uint64_t)i);
  drain_sorted(&b, NODES);
}

static void descending_keys_come_out_sorted(void **state) {
  static both_t b;
  (void)state;
  memset(&b, 0, sizeof b);
  for (int i = 0; i < NODES; i++)
    insert(&b, i, (uint64_t)(NODES - i));
  drain_sorted(&b, NODES);
}

static void keys_at_the_ends_of_their_range_come_out_sorted(void **state) {
  static both_t b;
  static const uint64_t keys[] = {UINT64_MAX, 0, UINT64_MAX - 1, 1, UINT64_C(1) << 63, 0, UINT64_MAX};
  (void)state;
  memset(&b, 0, sizeof b);
  for (int i = 0; i < 7; i++)
    insert(&b, i, keys[i]);
  drain_sorted(&b, 7);
}

static void of_equal_keys_the_first_stays_the_root(void **state) {
  static both_t b;
  (void)state;
  memset(&b, 0, sizeof b);
  for (int i = 0; i < NODES; i++) {
    insert(&b, i, 42);
    assert_int_equal(root_of(&b), 0);
  }
  drain_sorted(&b, NODES);
}

static void every_node_can_be_removed_first(void **state) {
  static both_t b;
  enum { N = 40 };
  (void)state;
  for (int out = 0; out < N; out++) {
    memset(&b, 0, sizeof b);
    for (int i = 0; i < N; i++)
      insert(&b, i, (uint64_t)(i * 7 % N));
    take_out(&b, root_of(&b)); /* merges siblings, so that there are deep nodes, too */
    if (!b.in[out]) continue;
    take_out(&b, out);
    check_root(&b);
    drain_sorted(&b, N - 2);
  }
}

static void a_removed_node_can_be_inserted_again(void **state) {
  static both_t b;
  (void)state;
  memset(&b, 0, sizeof b);
  for (int i = 0; i < 10; i++)
    insert(&b, i, (uint64_t)i);
  for (int i = 0; i < 10; i++) {
    take_out(&b, i);
    insert(&b, i, (uint64_t)(100 - i));
    check_root(&b);
  }
  drain_sorted(&b, 10);
}

static void random_steps_agree_with_the_array(void **state) {
  static both_t b;
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    memset(&b, 0, sizeof b);
    b.seed = seed;
    for (int step = 0; step < 3000; step++) {
      int i = (int)(next_random(&b) % NODES);
      if (next_random(&b) % 8 == 0 && b.heap.root != NULL) i = root_of(&b);
      if (b.in[i])
        take_out(&b, i);
      else
        insert(&b, i, next_random(&b) % 1000); /* equal keys, too */
      check_root(&b);
      if (step % 100 == 0) assert_int_equal(tree_size(b.heap.root), b.count);
    }
    drain_sorted(&b, b.count);
  }
}

/* A removal of the root meets as many siblings as there were insertions: that must not be a recursion. */
static void a_million_siblings_do_not_overflow_the_stack(void **state) {
  enum { MANY = 1000000 };
  uvf__heap_node_t *nodes = calloc(MANY, sizeof *nodes);
  uvf__heap_t heap = {NULL, 0};
  uint64_t last = 0;
  (void)state;
  assert_non_null(nodes);
  for (int i = 0; i < MANY; i++)
    uvf__heap_insert(&heap, &nodes[i], (uint64_t)i);
  for (int i = 0; i < 1000; i++) {
    assert_true(heap.root->key >= last);
    last = heap.root->key;
    uvf__heap_remove(&heap, heap.root);
  }
  assert_true(heap.root->key == 1000);
  free(nodes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(empty_heap_has_no_root),
      UVF_TEST(ascending_keys_come_out_sorted),
      UVF_TEST(descending_keys_come_out_sorted),
      UVF_TEST(keys_at_the_ends_of_their_range_come_out_sorted),
      UVF_TEST(of_equal_keys_the_first_stays_the_root),
      UVF_TEST(every_node_can_be_removed_first),
      UVF_TEST(a_removed_node_can_be_inserted_again),
      UVF_TEST(random_steps_agree_with_the_array),
      UVF_TEST(a_million_siblings_do_not_overflow_the_stack),
  };
  return RUN_TESTS(tests);
}
