/* boson.h - what a plugin in C needs of boson_v1 (docs/wasm-plugins.md).
 *
 *   clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o chat.wasm chat.c
 */
#ifndef BOSON_H
#define BOSON_H

typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned char u8;

#define BOSON_IMPORT(name) __attribute__((import_module("boson_v1"), import_name(#name)))
#define BOSON_EXPORT(name) __attribute__((export_name(#name)))

/* Functions of the server. */
BOSON_IMPORT(host_call) i64 boson_host_call(i32 op, i64 room, i64 call, const void *args, u32 len, void *out, u32 cap);
BOSON_IMPORT(result) u32 boson_result(void *out, u32 cap);
BOSON_IMPORT(log) void boson_log(i64 room, i32 level, const char *text, u32 len, const void *attrs, u32 attrs_len);
BOSON_IMPORT(now_ms) i64 boson_now_ms(void);

enum { /* hooks */
	ON_CREATE_GAME = 1, BEFORE_JOIN, ON_JOIN, ON_LEAVE, ON_RAISE_EVENT,
	BEFORE_SET_PROPERTIES, ON_SET_PROPERTIES, BEFORE_CLOSE_GAME, ON_CLOSE_GAME,
	ON_TIMER = 20, ON_HTTP, ON_ENQUEUED, ON_MASTER_CLIENT_CHANGE, ON_REPORT_ERROR,
	SETUP = 30, DISPOSE
};
enum { NONE = 0, CONTINUE = 1, CANCEL = 2, DEFER = 3, TROUBLE = -1 }; /* actions */
enum { /* operations */
	OP_CONTINUE = 1, OP_FAIL, OP_CANCEL, OP_DEFER, OP_MISUSED, OP_AUTH_COOKIE, OP_OPERATION,
	OP_BROADCAST_EVENT = 10, OP_SET_PROPERTIES, OP_REMOVE_ACTOR, OP_CACHE_OPERATION, OP_ERROR_INFO,
	OP_UPDATE_AUTH_COOKIE, OP_CLOSE_ROOM, /* api 1.1 */
	OP_PROPERTIES = 20, OP_ACTORS, OP_INFO, OP_LOBBY_PROPERTIES,
	OP_TIMER = 30, OP_STOP_TIMER, OP_HTTP = 40, OP_ENQUEUE, OP_STATE = 50, OP_SET_STATE,
	OP_DESCRIBE = 60, OP_TROUBLE
};

/* A table of arguments: a count, then keys and typed values of GpBinary V18. */
typedef struct { u8 *p; u32 n; } boson_table;

static inline void boson_begin(boson_table *t, u8 *buffer) { t->p = buffer; t->p[0] = 0; t->n = 1; }

static inline void boson_varint(boson_table *t, u32 v)
{
	for (; v >= 0x80; v >>= 7)
		t->p[t->n++] = (u8)(v | 0x80);
	t->p[t->n++] = (u8)v;
}

static inline void boson_text(boson_table *t, u8 key, const char *text, u32 len)
{
	t->p[0]++;
	t->p[t->n++] = key;
	t->p[t->n++] = 7; /* string */
	boson_varint(t, len);
	for (u32 i = 0; i < len; i++)
		t->p[t->n++] = (u8)text[i];
}

static inline void boson_int(boson_table *t, u8 key, i32 v)
{
	t->p[0]++;
	t->p[t->n++] = key;
	t->p[t->n++] = 9; /* int, zigzag */
	boson_varint(t, ((u32)v << 1) ^ (u32)(v >> 31));
}

#endif
