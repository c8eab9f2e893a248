/* SPDX-License-Identifier: MIT */
/* The intrusive list. */
#include "support/uvf_test.h"

#include "base/list.h"

typedef struct {
  int before; /* so that the link is not the first member */
  uvf__link_t link;
} element_t;

enum { N = 6 };

/* The numbers of a list's elements, read forwards and, to see that the links agree, backwards. */
static void expect_list(uvf__link_t *list, const int *want, int n) {
  uvf__link_t *l = list->next;
  for (int i = 0; i < n; i++, l = l->next)
    assert_int_equal(uvf__container(l, element_t, link)->before, want[i]);
  assert_ptr_equal(l, list);
  for (int i = n - 1; i >= 0; i--) {
    l = l->prev;
    assert_int_equal(uvf__container(l, element_t, link)->before, want[i]);
  }
  assert_ptr_equal(l->prev, list);
  assert_int_equal(uvf__list_empty(list), n == 0);
}

static void number(element_t *e) {
  memset(e, 0, N * sizeof *e);
  for (int i = 0; i < N; i++)
    e[i].before = i;
}

static void a_new_list_is_empty(void **state) {
  uvf__link_t list;
  (void)state;
  uvf__list_init(&list);
  expect_list(&list, NULL, 0);
  assert_null(uvf__list_first(&list));
}

static void push_back_keeps_the_order(void **state) {
  uvf__link_t list;
  element_t e[N];
  (void)state;
  number(e);
  uvf__list_init(&list);
  for (int i = 0; i < N; i++)
    uvf__list_push_back(&list, &e[i].link);
  expect_list(&list, (const int[]){0, 1, 2, 3, 4, 5}, N);
  assert_ptr_equal(uvf__list_first(&list), &e[0].link);
}

static void push_front_turns_the_order_round(void **state) {
  uvf__link_t list;
  element_t e[N];
  (void)state;
  number(e);
  uvf__list_init(&list);
  for (int i = 0; i < N; i++)
    uvf__list_push_front(&list, &e[i].link);
  expect_list(&list, (const int[]){5, 4, 3, 2, 1, 0}, N);
}

static void link_after_puts_it_in_between(void **state) {
  uvf__link_t list;
  element_t e[N];
  (void)state;
  number(e);
  uvf__list_init(&list);
  uvf__list_push_back(&list, &e[0].link);
  uvf__list_push_back(&list, &e[1].link);
  uvf__link_after(&e[0].link, &e[2].link);
  expect_list(&list, (const int[]){0, 2, 1}, 3);
}

static void unlink_takes_out_any_of_them(void **state) {
  static const int rest[3][2] = {{1, 2}, {0, 2}, {0, 1}};
  (void)state;
  for (int out = 0; out < 3; out++) {
    uvf__link_t list;
    element_t e[N];
    number(e);
    uvf__list_init(&list);
    for (int i = 0; i < 3; i++)
      uvf__list_push_back(&list, &e[i].link);
    uvf__unlink(&e[out].link);
    expect_list(&list, rest[out], 2);
  }
}

static void a_link_knows_whether_it_is_on_a_list(void **state) {
  uvf__link_t list;
  element_t e[N];
  (void)state;
  number(e);
  uvf__list_init(&list);
  assert_false(uvf__linked(&e[0].link));
  uvf__list_push_back(&list, &e[0].link);
  assert_true(uvf__linked(&e[0].link));
  uvf__unlink(&e[0].link);
  assert_false(uvf__linked(&e[0].link));
  expect_list(&list, NULL, 0);
}

/* Two lists of n and m elements; the second goes behind the first. */
static void splice_lists(int n, int m) {
  static const int want[] = {0, 1, 2, 3, 4, 5};
  uvf__link_t to, from;
  element_t e[N];
  number(e);
  uvf__list_init(&to);
  uvf__list_init(&from);
  for (int i = 0; i < n + m; i++)
    uvf__list_push_back(i < n ? &to : &from, &e[i].link);
  uvf__list_splice(&to, &from);
  expect_list(&to, want, n + m);
  expect_list(&from, NULL, 0);
}

static void splice_moves_all_to_the_end(void **state) {
  (void)state;
  for (int n = 0; n <= 3; n++)
    for (int m = 0; m <= 3; m++)
      splice_lists(n, m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(a_new_list_is_empty),
      UVF_TEST(push_back_keeps_the_order),
      UVF_TEST(push_front_turns_the_order_round),
      UVF_TEST(link_after_puts_it_in_between),
      UVF_TEST(unlink_takes_out_any_of_them),
      UVF_TEST(a_link_knows_whether_it_is_on_a_list),
      UVF_TEST(splice_moves_all_to_the_end),
  };
  return RUN_TESTS(tests);
}
