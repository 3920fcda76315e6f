/* A plugin in C: it refuses texts of event 10 that are longer than 100 bytes, and
 * continues everything else. */
#include "boson.h"

static u8 args[65536];   /* where the server puts arguments */
static u8 buffer[1024];  /* ours for the server */

BOSON_EXPORT(boson_abi) i32 boson_abi(void) { return 1; }

/* One buffer is enough: nothing here is called while a hook runs. */
BOSON_EXPORT(boson_alloc) void *boson_alloc(u32 n) { return n <= sizeof args ? args : 0; }

static i32 describe(i64 room)
{
	boson_table t;
	boson_begin(&t, buffer);
	boson_text(&t, 20, "ChatFilter", 10); /* KeyName */
	boson_text(&t, 21, "1.0.0", 5);       /* KeyVersion */
	boson_host_call(OP_DESCRIBE, room, 0, t.p, t.n, 0, 0);
	return NONE;
}

static u32 varint(const u8 *p, u32 n, u32 *at)
{
	u32 v = 0;
	for (u32 shift = 0; *at < n && shift < 35; shift += 7) {
		u8 c = p[(*at)++];
		v |= (u32)(c & 0x7f) << shift;
		if (c < 0x80)
			break;
	}
	return v;
}

/* Length of the text that is the content (245) of event 10 (244), or -1. */
static i32 text_length(const u8 *p, u32 n)
{
	i32 code = -1;
	u32 at = 1;
	for (u32 left = n ? p[0] : 0; left > 0 && at + 2 <= n; left--) {
		u8 key = p[at++], type = p[at++];
		u32 v = 0;
		switch (type) {
		case 30: /* int 0 */
			break;
		case 11: case 12: /* int of one byte, negative one */
			v = p[at++];
			break;
		case 13: case 14: /* of two */
			v = p[at] | p[at + 1] << 8;
			at += 2;
			break;
		case 9: /* any int */
			v = varint(p, n, &at);
			break;
		case 73: /* int[]: receivers */
			for (u32 items = varint(p, n, &at); items > 0 && at < n; items--)
				varint(p, n, &at);
			break;
		case 7: /* string */
			v = varint(p, n, &at);
			if (key == 245)
				return code == 10 ? (i32)v : -1;
			at += v;
			break;
		default: /* content of another type; it comes last */
			return -1;
		}
		if (key == 244)
			code = (i32)v;
	}
	return -1;
}

BOSON_EXPORT(boson_hook) i32 boson_hook(i32 hook, i64 room, i64 call, const u8 *p, u32 n)
{
	if (hook == SETUP)
		return describe(room);
	if (hook == ON_RAISE_EVENT && text_length(p, n) > 100) {
		boson_table t;
		boson_begin(&t, buffer);
		boson_text(&t, 30, "text too long", 13); /* KeyMessage */
		boson_host_call(OP_FAIL, room, call, t.p, t.n, 0, 0);
		return NONE;
	}
	return hook < ON_TIMER ? CONTINUE : NONE;
}
