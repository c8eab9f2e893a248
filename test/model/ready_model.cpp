/* SPDX-License-Identifier: MIT */
/* The ready list: two threads push an op each, or post to a loop, each its own post or both the same; the loop takes turns, also
 * some that no ring asked for, collects at odd moments, and may be detached meanwhile. Each op, and each post that was
 * accepted, runs once; no ring is lost and none comes too late; and a callback sees what every poster of its post wrote, also
 * of those who found it pending.
 * sources: wait/ready.c wait/loop.c wait/pace.c wait/drain.c wait/detach.c wait/post.c wait/bells.c wait/blocked.c wait/op.c
 * sources: wait/request.c wait/deadline.c base/heap.c */
#include "model_loop.h"

#include "wait/ready.h"

enum { OPS, POSTS, ONE_POST };

static int pushes;
static bool detaches;

typedef struct {
  model_host_t host;
  uvf_loop_t *loop;
  uvf__op_t op[2];
  model_room<uvf_post_t> post[2];
  model_item_t item[2]; /* written by who pushes, read when that runs */
  a_u32 wrote[2];       /* the same without an order of its own, for a shared post */
  bool seen[2];
  int accepted, ran, cancelled;
} state_t;

static state_t *s;

static void on_post(uvf_post_t *post, int status) {
  s->ran++;
  if (status != 0) s->cancelled++;
  RL_ASSERT(status == 0 || (status == UV_ECANCELED && detaches));
  for (int i = 0; i < 2; i++) {
    if (pushes == ONE_POST)
      s->seen[i] = a_load(&s->wrote[i], relaxed) != 0;
    else if (post == &s->post[i].t)
      RL_ASSERT(item_get(&s->item[i]) == 1);
  }
}

static void op_run(uvf__op_t *op) {
  RL_ASSERT(item_get(&s->item[op - s->op]) == 1);
  s->ran++;
  uvf__loop_remove_op(s->loop, op);
}

/* It was decided: it is on its way. */
static void op_detach(uvf__op_t *op) {
  (void)op;
}

static const uvf__op_type_t op_type = {"op", NULL, op_run, op_detach};

struct model : rl::test_suite<model, 3> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    s->loop = model_loop_create(&s->host, 2);
    for (int i = 0; i < 2; i++) {
      item_set(&s->item[i], 0);
      a_init(&s->wrote[i], 0);
      if (pushes != OPS) (void)uvf_loop_retain(s->loop);
      s->op[i].type = &op_type;
      s->op[i].loop = s->loop;
      if (pushes == OPS) uvf__loop_add_op(s->loop, &s->op[i]);
    }
  }

  void post(unsigned i) {
    a_store(&s->wrote[i], 1, relaxed);
    int r = uvf_post(s->loop, &s->post[pushes == ONE_POST ? 0 : i].t, on_post);
    RL_ASSERT(r == 0 || (r == UV_EBUSY && pushes == ONE_POST) || (r == UV_ECANCELED && detaches));
    if (r == 0) s->accepted++;
    uvf_loop_release(s->loop);
  }

  /* As the waiting layer does it; the loop's ops keep it alive until they ran, and after that only the ring's reference. */
  void push_op(unsigned i) {
    uvf__bells_t bells = uvf__bells_none();
    s->accepted++;
    RL_ASSERT(uvf__ready_push(s->loop, &s->op[i].node, &bells));
    uvf__bells_ring(&bells);
  }

  void run_loop() {
    for (int turn = 0; turn < 3; turn++) {
      unsigned odd = s->host.closing || s->host.closed ? 0 : rl::rand(3);
      if (odd == 1) uvf__ready_collect(s->loop);
      if (odd == 2) uvf_loop_drain(s->loop, false);
      if (turn == 1 && detaches) RL_ASSERT(uvf_loop_detach(s->loop, NULL, NULL) == 0);
      (void)model_turn(&s->host);
    }
  }

  void thread(unsigned index) {
    if (index == 2) {
      run_loop();
      return;
    }
    item_set(&s->item[index], 1);
    if (pushes == OPS)
      push_op(index);
    else
      post(index);
  }

  void after() {
    model_settle(&s->host);
    if (!detaches) {
      RL_ASSERT(s->ran == s->accepted && s->accepted > 0);
      if (pushes == ONE_POST) RL_ASSERT(s->seen[0] && s->seen[1]);
    }
    model_loop_end(&s->host);
    RL_ASSERT(s->ran == s->accepted);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, int what, bool detach, unsigned random) {
  pushes = what;
  detaches = detach;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("ops", OPS, false, 60000) && run("ops, detach", OPS, true, 60000) &&
            run("posts", POSTS, false, 30000) && run("posts, detach", POSTS, true, 60000) &&
            run("one post", ONE_POST, false, 40000);
  return ok ? 0 : 1;
}
