/* SPDX-License-Identifier: MIT */
/* The plain way to let a thread wait for messages, for peers that bring no other: a list, a mutex, a condition. */
#ifndef BENCH_LOOP_INBOX_H
#define BENCH_LOOP_INBOX_H

#include "bench.h"

typedef struct inbox_node {
  struct inbox_node *next;
  msg_t msg;
} inbox_node_t;

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t not_empty;
  inbox_node_t *head, *tail;
} inbox_t;

static void inbox_open(inbox_t *b) {
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->not_empty, NULL);
  b->head = b->tail = NULL;
}

static void inbox_send(inbox_t *b, msg_t m) {
  inbox_node_t *n = malloc(sizeof *n);
  must(n != NULL, "out of memory");
  n->next = NULL;
  n->msg = m;
  pthread_mutex_lock(&b->lock);
  if (b->tail != NULL)
    b->tail->next = n;
  else
    b->head = n;
  b->tail = n;
  pthread_mutex_unlock(&b->lock);
  pthread_cond_signal(&b->not_empty); /* after the lock, or the woken thread would run into it */
}

static msg_t inbox_recv(inbox_t *b) {
  pthread_mutex_lock(&b->lock);
  while (b->head == NULL)
    pthread_cond_wait(&b->not_empty, &b->lock);
  inbox_node_t *n = b->head;
  b->head = n->next;
  if (b->head == NULL) b->tail = NULL;
  pthread_mutex_unlock(&b->lock);
  msg_t m = n->msg;
  free(n);
  return m;
}

static void inbox_close(inbox_t *b) {
  pthread_mutex_destroy(&b->lock);
  pthread_cond_destroy(&b->not_empty);
}

#endif
