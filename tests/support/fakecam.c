/* fakecam: an LD_PRELOAD V4L2 capture device for tests. No kernel driver needed.
 *
 *   cc -shared -fPIC -O2 -o libfakecam.so fakecam.c -ldl -lpthread
 *   FAKECAM_DIR=./fc LD_PRELOAD=./libfakecam.so your-program
 *
 * It stands in front of open, ioctl, mmap and their relatives. A fake camera's descriptor is an eventfd that counts
 * finished frames, so that poll() works on it; a thread a stream finishes them at the frame rate. One lock guards all.
 *
 * Layout of $FAKECAM_DIR (all live: change the files while the program runs):
 *   dev/videoN          exists = plugged in; deleted = unplugged (ENODEV on every later call). Lines, see below;
 *                       without fmt or step it is no capture device
 *   sys/videoN/name     optional, what /sys/class/video4linux/videoN/name reads as
 *   ctl/videoN.deny     open() fails with EACCES
 *   ctl/videoN.busy     S_FMT/S_PARM/REQBUFS/STREAMON fail with EBUSY (another program streams);
 *                       two processes using one fake camera get this too (flock on dev/videoN)
 *   ctl/videoN.stall    no frames are delivered while it exists
 *   ctl/videoN.hang     ioctl() does not return while it exists, whatever signals come (a driver's bug)
 *   ctl/videoN.WxH.mjpg concatenated JPEGs played in a loop when MJPG WxH is chosen
 *
 * Lines of dev/videoN (CC: V4L2's four characters; a rate is FPS, or N/D for intervals of N/D seconds, as 1001/30000):
 *   name TEXT
 *   fmt CC WxH RATE [RATE...]
 *   step CC MINW MINH MAXW MAXH STEPW STEPH   sizes as a range; steps of 0 or 1 are told as "continuous"
 *   start CC WxH N/D    the state that another program left: format and interval before anybody sets them
 *   noival | nosize     no list of intervals | of sizes (the calls fail)
 *   contival | stepival N/D N/D    intervals as a range, from 1/1000 to 1 s | from the first to the second, by 1/1000 s
 *   noparm              G_PARM and S_PARM fail, as for a device with one rate
 *   fixed               S_FMT answers with the first mode, whatever is asked for
 *   stride N            rows are padded to a multiple of N pixels; the padding is grey
 *   errbuf              every second buffer is empty and flagged V4L2_BUF_FLAG_ERROR
 *   flagbuf [all]       every second one (or every one) is whole, noise, and flagged
 *   shortbuf            every second one is filled to a half, and not flagged
 *
 * Frames of YUV, GREY and RGB: scrolling colour bars; the top 16 lines hold the 32-bit frame sequence number,
 * MSB first, as 32 cells of width W/32 with luma 235 (1) or 16 (0). Other formats give zeros.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define MAXCAM 16
#define MAXMODE 64
#define MAXBUF 16
#define BAD(e)                                                                                                         \
    do {                                                                                                               \
        errno = (e);                                                                                                   \
        return -1;                                                                                                     \
    } while (0)

struct mode { /* its interval is num / fps seconds */
    uint32_t fourcc, w, h, fps, num;
};
struct range { /* min, max and step of width and of height */
    uint32_t fourcc, w[3], h[3];
};
enum damage { SOUND, ERROR_EMPTY, ERROR_NOISE, SHORT };
struct cam {
    int fd, memfd, lockfd, streaming, dead, quit, nmode, nrange;
    char id[32], name[32];
    struct mode modes[MAXMODE], start;
    struct range ranges[8];
    int fixed, noival, nosize, noparm, every_damaged;
    struct v4l2_fract ival[2]; /* the ends of the range of intervals, if there is one */
    unsigned align;
    enum damage damage;
    uint32_t fps, num; /* now */
    struct v4l2_pix_format pix;
    uint32_t sizeimage, seq, nbuf;
    uint8_t *map;
    struct {
        int state, error;
        uint32_t used, seq;
        struct timespec ts;
    } buf[MAXBUF]; /* 0 idle 1 queued 2 done */
    int queue[MAXBUF], qn, done[MAXBUF], dn;
    uint8_t *jpg;
    size_t jpglen, jpgpos;
    pthread_t thr;
};
static struct cam *cams[MAXCAM];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(ret, name, ...)                                                                                           \
    static ret (*r_##name)(__VA_ARGS__);                                                                               \
    static ret (*g_##name(void))(__VA_ARGS__) {                                                                        \
        if (!r_##name)                                                                                                 \
            *(void **)&r_##name = dlsym(RTLD_NEXT, #name);                                                             \
        return r_##name;                                                                                               \
    }
REAL(int, open, const char *, int, ...)
REAL(int, openat, int, const char *, int, ...)
REAL(int, close, int)
REAL(int, ioctl, int, unsigned long, ...)
REAL(long, syscall, long, ...)
REAL(void *, mmap, void *, size_t, int, int, int, off_t)
REAL(DIR *, opendir, const char *)

static const char *root(void) { return getenv("FAKECAM_DIR"); }
static char *fpath(char *out, const char *sub, const char *id, const char *suffix) {
    snprintf(out, 512, "%s/%s/%s%s", root(), sub, id, suffix);
    return out;
}
static int have(const char *sub, const char *id, const char *suffix) {
    char p[512];
    return access(fpath(p, sub, id, suffix), F_OK) == 0;
}
static struct cam *find(int fd) {
    for (int i = 0; i < MAXCAM; i++) {
        struct cam *c = cams[i];
        if (c && c->fd == fd)
            return c;
    }
    return NULL;
}

static uint32_t fourcc(const char cc[4]) { return v4l2_fourcc(cc[0], cc[1], cc[2], cc[3]); }
static void parse_rates(struct cam *c, uint32_t cc, unsigned w, unsigned h, char *s) {
    for (char *e; c->nmode < MAXMODE; s = e) {
        unsigned fps = strtoul(s, &e, 10), num = 1;
        if (e == s)
            break;
        if (*e == '/') {
            num = fps;
            fps = strtoul(e + 1, &e, 10);
        }
        c->modes[c->nmode++] = (struct mode){cc, w, h, fps, num};
    }
}
static void parse_line(struct cam *c, char *line) {
    char cc[8];
    unsigned w, h, n, d;
    int pos = 0;
    struct range r = {0};
    if (!strncmp(line, "name ", 5))
        snprintf(c->name, sizeof c->name, "%.31s", line + 5);
    else if (sscanf(line, "fmt %4s %ux%u%n", cc, &w, &h, &pos) == 3)
        parse_rates(c, fourcc(cc), w, h, line + pos);
    else if (sscanf(line, "step %4s %u %u %u %u %u %u", cc, r.w, r.h, r.w + 1, r.h + 1, r.w + 2, r.h + 2) == 7) {
        r.fourcc = fourcc(cc);
        if (c->nrange < 8)
            c->ranges[c->nrange++] = r;
    } else if (sscanf(line, "start %4s %ux%u %u/%u", cc, &w, &h, &n, &d) == 5)
        c->start = (struct mode){fourcc(cc), w, h, d, n};
    else if (sscanf(line, "stride %u", &n) == 1)
        c->align = n;
    else if (sscanf(line, "stepival %u/%u %u/%u", &n, &d, &w, &h) == 4) {
        c->ival[0] = (struct v4l2_fract){n, d};
        c->ival[1] = (struct v4l2_fract){w, h};
    } else if (!strncmp(line, "contival", 8)) {
        c->ival[0] = (struct v4l2_fract){1, 1000};
        c->ival[1] = (struct v4l2_fract){1, 1};
    } else if (!strncmp(line, "noival", 6))
        c->noival = 1;
    else if (!strncmp(line, "nosize", 6))
        c->nosize = 1;
    else if (!strncmp(line, "noparm", 6))
        c->noparm = 1;
    else if (!strncmp(line, "fixed", 5))
        c->fixed = 1;
    else if (!strncmp(line, "errbuf", 6))
        c->damage = ERROR_EMPTY;
    else if (!strncmp(line, "flagbuf", 7)) {
        c->damage = ERROR_NOISE;
        c->every_damaged = !!strstr(line, "all");
    } else if (!strncmp(line, "shortbuf", 8))
        c->damage = SHORT;
}
static void parse_spec(struct cam *c) {
    char p[512], line[256];
    FILE *f = fopen(fpath(p, "dev", c->id, ""), "r");
    snprintf(c->name, sizeof c->name, "Fake Camera");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        parse_line(c, line);
    }
    if (f)
        fclose(f);
}

/* How a format lays out its samples: bytes a pixel of the first plane, planes, rows of luma for each of chroma (0: no
 * plane of chroma), and where Y, U, V or R, G, B lie in four or three bytes, or which plane comes first. */
struct layout {
    char cc[5];
    unsigned bytes, planes, down;
    uint8_t at[3];
};
static const struct layout layouts[] = {
    {"YUYV", 2, 1, 0, {0, 1, 3}}, {"YVYU", 2, 1, 0, {0, 3, 1}}, {"UYVY", 2, 1, 0, {1, 0, 2}},
    {"VYUY", 2, 1, 0, {1, 2, 0}}, {"NV12", 1, 2, 2, {0, 0, 1}}, {"NV21", 1, 2, 2, {0, 1, 0}},
    {"NV16", 1, 2, 1, {0, 0, 1}}, {"NV61", 1, 2, 1, {0, 1, 0}}, {"YU12", 1, 3, 2, {0, 0, 1}},
    {"YV12", 1, 3, 2, {0, 1, 0}}, {"422P", 1, 3, 1, {0, 0, 1}}, {"GREY", 1, 1, 0, {0}},
    {"RGB3", 3, 1, 0, {0, 1, 2}}, {"BGR3", 3, 1, 0, {2, 1, 0}}, {"XB24", 4, 1, 0, {0, 1, 2}},
    {"AB24", 4, 1, 0, {0, 1, 2}}, {"XR24", 4, 1, 0, {2, 1, 0}}, {"AR24", 4, 1, 0, {2, 1, 0}},
    {"BGR4", 4, 1, 0, {2, 1, 0}},
};
static const struct layout *layout_of(uint32_t cc) {
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (fourcc(layouts[i].cc) == cc)
            return &layouts[i];
    return NULL;
}
static int is_jpeg(uint32_t cc) { return cc == V4L2_PIX_FMT_MJPEG || cc == V4L2_PIX_FMT_JPEG; }
static uint32_t chroma_stride(const struct cam *c, const struct layout *l) {
    return l->planes == 2 ? c->pix.bytesperline : c->pix.bytesperline / 2;
}
static void set_mode(struct cam *c, const struct mode *m) {
    const struct layout *l = layout_of(m->fourcc);
    memset(&c->pix, 0, sizeof c->pix);
    c->pix.width = m->w;
    c->pix.height = m->h;
    c->pix.pixelformat = m->fourcc;
    c->pix.field = V4L2_FIELD_NONE;
    c->pix.colorspace = V4L2_COLORSPACE_SRGB;
    c->pix.sizeimage = m->w * m->h * 2;
    if (l) {
        uint32_t w = c->align ? (m->w + c->align - 1) / c->align * c->align : m->w;
        c->pix.bytesperline = w * l->bytes;
        c->pix.sizeimage = c->pix.bytesperline * m->h;
        if (l->planes > 1)
            c->pix.sizeimage += (l->planes - 1) * chroma_stride(c, l) * ((m->h + l->down - 1) / l->down);
    }
    c->num = m->num ? m->num : 1;
    c->fps = m->fps ? m->fps : 30;
}

static void pixel(const struct cam *c, uint32_t seq, uint32_t x, uint32_t y, uint8_t *Y, uint8_t *U, uint8_t *V) {
    static const uint8_t bar[8][3] = {{235, 128, 128}, {210, 16, 146}, {170, 166, 16}, {145, 54, 34},
                                      {106, 202, 222}, {81, 90, 240},  {41, 240, 110}, {16, 128, 128}};
    if (y < 16) {
        uint32_t cell = x * 32 / c->pix.width;
        *Y = (seq >> (31 - cell)) & 1 ? 235 : 16;
        *U = *V = 128;
        return;
    }
    const uint8_t *b = bar[((x + seq * 4) * 8 / c->pix.width) & 7];
    *Y = b[0];
    *U = b[1];
    *V = b[2];
}
static uint8_t clamp(double value) { return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)(value + 0.5); }
/* One row of the first plane. Grey has no more than luma; RGB is made from the same colours by BT.601. */
static void draw_row(const struct cam *c, const struct layout *l, uint8_t *row, uint32_t seq, uint32_t y) {
    uint8_t Y, U, V;
    for (uint32_t x = 0; x < c->pix.width; x++) {
        pixel(c, seq, x, y, &Y, &U, &V);
        uint8_t *d = row + (size_t)x * l->bytes;
        if (l->bytes == 1)
            *d = Y;
        else if (l->bytes == 2) {
            d[l->at[0]] = Y; /* U and V lie in the four bytes of two pixels */
            if (x % 2 == 0 && x + 1 < c->pix.width) {
                d[l->at[1]] = U;
                d[l->at[2]] = V;
            }
        } else {
            double luma = 255.0 / 219 * (Y - 16), u = 255.0 / 224 * (U - 128), v = 255.0 / 224 * (V - 128);
            d[l->at[0]] = clamp(luma + 1.402 * v);
            d[l->at[1]] = clamp(luma - 0.344136 * u - 0.714136 * v);
            d[l->at[2]] = clamp(luma + 1.772 * u);
        }
    }
}
static void draw_chroma(const struct cam *c, const struct layout *l, uint8_t *d, uint32_t seq) {
    uint32_t stride = chroma_stride(c, l), rows = (c->pix.height + l->down - 1) / l->down;
    size_t plane = (size_t)stride * rows;
    for (uint32_t y = 0; y < rows; y++)
        for (uint32_t x = 0; x < (c->pix.width + 1) / 2; x++) {
            uint8_t Y, uv[2];
            pixel(c, seq, 2 * x, y * l->down, &Y, &uv[0], &uv[1]);
            for (int i = 0; i < 2; i++)
                if (l->planes == 2)
                    d[(size_t)y * stride + 2 * x + l->at[1 + i]] = uv[i];
                else
                    d[plane * l->at[1 + i] + (size_t)y * stride + x] = uv[i];
        }
}
static uint32_t next_jpeg(struct cam *c, uint8_t *d) { /* from FFD8 to FFD9 */
    for (int turn = 0; c->jpg && turn < 2; turn++, c->jpgpos = 0) {
        uint8_t *s = c->jpg + c->jpgpos, *e = memmem(s, c->jpglen - c->jpgpos, "\xff\xd9", 2);
        if (!e || c->jpgpos >= c->jpglen)
            continue;
        uint32_t n = e + 2 - s;
        if (n > c->sizeimage)
            n = c->sizeimage;
        memcpy(d, s, n);
        c->jpgpos += e + 2 - s;
        return n;
    }
    return 0;
}
static uint32_t draw(struct cam *c, uint8_t *d, uint32_t seq) {
    const struct layout *l = layout_of(c->pix.pixelformat);
    uint32_t h = c->pix.height, stride = c->pix.bytesperline;
    if (is_jpeg(c->pix.pixelformat))
        return next_jpeg(c, d);
    memset(d, l ? 77 : 0, c->pix.sizeimage);
    if (!l)
        return c->pix.sizeimage;
    for (uint32_t y = 0; y < h; y++)
        if (y == 0 || y == 16)
            draw_row(c, l, d + (size_t)y * stride, seq, y);
        else
            memcpy(d + (size_t)y * stride, d + (size_t)(y < 16 ? 0 : 16) * stride, stride);
    if (l->planes > 1)
        draw_chroma(c, l, d + (size_t)stride * h, seq);
    return c->pix.sizeimage;
}
/* Fills a buffer, or does what broken transfers do. */
static void fill(struct cam *c, int i) {
    uint8_t *d = c->map + (size_t)i * c->sizeimage;
    int damaged = c->damage != SOUND && (c->every_damaged || c->seq % 2);
    c->buf[i].error = damaged && c->damage != SHORT;
    if (!damaged)
        c->buf[i].used = draw(c, d, c->seq);
    else if (c->damage == ERROR_EMPTY)
        c->buf[i].used = 0;
    else if (c->damage == ERROR_NOISE) {
        for (uint32_t at = 0; at < c->pix.sizeimage; at++)
            d[at] = (uint8_t)(at * 2654435761u >> 24);
        c->buf[i].used = c->pix.sizeimage;
    } else
        c->buf[i].used = draw(c, d, c->seq) / 2;
}
static void *feeder(void *arg) {
    struct cam *c = arg;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        uint64_t interval = 1000000000ULL * c->num / c->fps + next.tv_nsec;
        next.tv_sec += interval / 1000000000ULL;
        next.tv_nsec = interval % 1000000000ULL;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        pthread_mutex_lock(&lock);
        int stop = c->quit;
        if (!stop && !have("dev", c->id, "")) {
            c->dead = stop = 1;
            eventfd_write(c->fd, 1);
        } /* wakes poll(); DQBUF says ENODEV */
        else if (!stop) {
            c->seq++; /* a frame with no free buffer is dropped, as in hardware */
            if (c->qn && !have("ctl", c->id, ".stall")) {
                int i = c->queue[0];
                memmove(c->queue, c->queue + 1, --c->qn * sizeof(int));
                fill(c, i);
                c->buf[i].seq = c->seq;
                c->buf[i].state = 2;
                clock_gettime(CLOCK_MONOTONIC, &c->buf[i].ts);
                c->done[c->dn++] = i;
                eventfd_write(c->fd, 1);
            }
        }
        pthread_mutex_unlock(&lock);
        if (stop)
            return NULL;
    }
}
/* both are called and return with the lock held */
static void stream_off(struct cam *c) {
    if (c->streaming) {
        c->quit = 1;
        pthread_mutex_unlock(&lock);
        pthread_join(c->thr, NULL);
        pthread_mutex_lock(&lock);
        c->streaming = c->quit = 0;
    }
    eventfd_t v;
    while (c->dn-- > 0)
        eventfd_read(c->fd, &v);
    c->qn = c->dn = 0;
    for (int i = 0; i < MAXBUF; i++)
        c->buf[i].state = 0;
}
static void free_bufs(struct cam *c) {
    stream_off(c);
    if (c->map) {
        munmap(c->map, (size_t)c->nbuf * c->sizeimage);
        c->map = NULL;
    }
    if (c->memfd >= 0) {
        g_close()(c->memfd);
        c->memfd = -1;
    }
    if (c->lockfd >= 0) {
        g_close()(c->lockfd);
        c->lockfd = -1;
    }
    c->nbuf = 0;
}
static void fill_buf(struct cam *c, struct v4l2_buffer *b, uint32_t i) {
    b->index = i;
    b->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b->memory = V4L2_MEMORY_MMAP;
    b->field = V4L2_FIELD_NONE;
    b->length = c->sizeimage;
    b->m.offset = i * c->sizeimage;
    b->bytesused = c->buf[i].used;
    b->sequence = c->buf[i].seq;
    b->timestamp.tv_sec = c->buf[i].ts.tv_sec;
    b->timestamp.tv_usec = c->buf[i].ts.tv_nsec / 1000;
    b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_MAPPED | (c->buf[i].error ? V4L2_BUF_FLAG_ERROR : 0) |
               (c->buf[i].state == 1   ? V4L2_BUF_FLAG_QUEUED
                : c->buf[i].state == 2 ? V4L2_BUF_FLAG_DONE
                                       : 0);
}
static const struct range *range_of(const struct cam *c, uint32_t cc) {
    for (int i = 0; i < c->nrange; i++)
        if (c->ranges[i].fourcc == cc)
            return &c->ranges[i];
    return NULL;
}
static uint32_t within(const uint32_t side[3], uint32_t wanted) {
    uint32_t step = side[2] ? side[2] : 1, steps = (side[1] - side[0]) / step;
    if (wanted <= side[0])
        return side[0];
    uint32_t nearest = (wanted - side[0]) / step;
    return side[0] + (nearest < steps ? nearest : steps) * step;
}
/* The nearest mode of the wanted fourcc, else the first one. */
static int nearest_mode(const struct cam *c, const struct v4l2_pix_format *wanted, struct mode *m) {
    const struct range *r = range_of(c, wanted->pixelformat);
    long best = -1;
    if (!c->nmode && !c->nrange)
        return 0;
    if (r || !c->nmode) {
        r = r ? r : c->ranges;
        *m = (struct mode){r->fourcc, within(r->w, wanted->width), within(r->h, wanted->height), 30, 1};
        return 1;
    }
    *m = c->modes[0];
    for (int i = 0; i < c->nmode && !c->fixed; i++)
        if (c->modes[i].fourcc == wanted->pixelformat) {
            const struct mode *at = &c->modes[i];
            long d = labs((long)at->w - wanted->width) + labs((long)at->h - wanted->height);
            if (best < 0 || d < best) {
                best = d;
                *m = *at;
            }
        }
    return 1;
}
/* The interval of the mode that is nearest to the wanted one; any where intervals are a range. */
static void set_interval(struct cam *c, const struct v4l2_fract *t) {
    if (!t->numerator || !t->denominator)
        return;
    double want = (double)t->denominator / t->numerator, best = 1e9;
    if (c->ival[0].denominator) {
        c->fps = t->denominator;
        c->num = t->numerator;
        return;
    }
    for (int i = 0; i < c->nmode; i++) {
        struct mode *m = &c->modes[i];
        double off = (double)m->fps / m->num - want;
        off = off < 0 ? -off : off;
        if (m->fourcc == c->pix.pixelformat && m->w == c->pix.width && m->h == c->pix.height && off < best) {
            best = off;
            c->fps = m->fps;
            c->num = m->num;
        }
    }
}
static int do_ioctl(struct cam *c, unsigned long req, void *arg) {
    req &= 0xffffffffUL;
    if (!c->dead && !have("dev", c->id, ""))
        c->dead = 1;
    if (c->dead)
        BAD(ENODEV);
    int busy = have("ctl", c->id, ".busy");
    switch (req) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *a = arg;
        memset(a, 0, sizeof *a);
        snprintf((char *)a->driver, sizeof a->driver, "fakecam");
        snprintf((char *)a->card, sizeof a->card, "%s", c->name);
        snprintf((char *)a->bus_info, sizeof a->bus_info, "platform:fakecam-%.14s", c->id);
        a->version = 0x060100;
        a->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        a->capabilities = a->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *a = arg;
        uint32_t k = 0;
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        for (int i = 0; i < c->nmode; i++) {
            int seen = 0;
            for (int j = 0; j < i; j++)
                seen |= c->modes[j].fourcc == c->modes[i].fourcc;
            if (seen || k++ != a->index)
                continue;
            a->pixelformat = c->modes[i].fourcc;
            a->flags = layout_of(a->pixelformat) ? 0 : V4L2_FMT_FLAG_COMPRESSED;
            snprintf((char *)a->description, sizeof a->description, "%.4s", (char *)&a->pixelformat);
            return 0;
        }
        if (a->index - k >= (uint32_t)c->nrange)
            BAD(EINVAL);
        a->pixelformat = c->ranges[a->index - k].fourcc;
        a->flags = 0;
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *a = arg;
        const struct range *r = range_of(c, a->pixel_format);
        uint32_t k = 0;
        if (c->nosize)
            BAD(ENOTTY);
        if (r && a->index)
            BAD(EINVAL);
        if (r) {
            a->type = r->w[2] <= 1 && r->h[2] <= 1 ? V4L2_FRMSIZE_TYPE_CONTINUOUS : V4L2_FRMSIZE_TYPE_STEPWISE;
            a->stepwise = (struct v4l2_frmsize_stepwise){r->w[0], r->w[1], r->w[2], r->h[0], r->h[1], r->h[2]};
            return 0;
        }
        for (int i = 0; i < c->nmode; i++) {
            struct mode *m = &c->modes[i];
            int seen = m->fourcc != a->pixel_format;
            for (int j = 0; j < i; j++)
                seen |= c->modes[j].fourcc == m->fourcc && c->modes[j].w == m->w && c->modes[j].h == m->h;
            if (seen || k++ != a->index)
                continue;
            a->type = V4L2_FRMSIZE_TYPE_DISCRETE;
            a->discrete.width = m->w;
            a->discrete.height = m->h;
            return 0;
        }
        BAD(EINVAL);
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *a = arg;
        uint32_t k = 0;
        if (c->noival)
            BAD(EINVAL);
        if ((c->ival[0].denominator || range_of(c, a->pixel_format)) && a->index)
            BAD(EINVAL);
        if (c->ival[0].denominator) {
            int continuous = c->ival[0].denominator == 1000;
            a->type = continuous ? V4L2_FRMIVAL_TYPE_CONTINUOUS : V4L2_FRMIVAL_TYPE_STEPWISE;
            struct v4l2_fract step = {1, continuous ? 1 : 1000};
            a->stepwise = (struct v4l2_frmival_stepwise){c->ival[0], c->ival[1], step};
            return 0;
        }
        if (range_of(c, a->pixel_format)) {
            a->type = V4L2_FRMIVAL_TYPE_DISCRETE;
            a->discrete = (struct v4l2_fract){1, 30};
            return 0;
        }
        for (int i = 0; i < c->nmode; i++) {
            struct mode *m = &c->modes[i];
            if (m->fourcc != a->pixel_format || m->w != a->width || m->h != a->height || k++ != a->index)
                continue;
            a->type = V4L2_FRMIVAL_TYPE_DISCRETE;
            a->discrete.numerator = m->num;
            a->discrete.denominator = m->fps;
            return 0;
        }
        BAD(EINVAL);
    }
    case VIDIOC_G_FMT: {
        struct v4l2_format *a = arg;
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        a->fmt.pix = c->pix;
        return 0;
    }
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: {
        struct v4l2_format *a = arg;
        struct v4l2_pix_format keep = c->pix;
        uint32_t fps = c->fps, num = c->num;
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        if (req == VIDIOC_S_FMT && (busy || c->nbuf))
            BAD(EBUSY);
        struct mode m;
        if (!nearest_mode(c, &a->fmt.pix, &m))
            BAD(EINVAL);
        set_mode(c, &m);
        a->fmt.pix = c->pix;
        if (req == VIDIOC_TRY_FMT) {
            c->pix = keep;
            c->fps = fps;
            c->num = num;
        }
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *a = arg;
        struct v4l2_fract *t = &a->parm.capture.timeperframe;
        if (c->noparm)
            BAD(ENOTTY);
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        if (req == VIDIOC_S_PARM) {
            if (busy)
                BAD(EBUSY);
            set_interval(c, t);
        }
        memset(&a->parm, 0, sizeof a->parm);
        a->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        t->numerator = c->num;
        t->denominator = c->fps;
        a->parm.capture.readbuffers = 2;
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *a = arg;
        char p[512];
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || a->memory != V4L2_MEMORY_MMAP)
            BAD(EINVAL);
        free_bufs(c);
        if (!a->count)
            return 0;
        c->lockfd = g_open()(fpath(p, "dev", c->id, ""), O_RDONLY | O_CLOEXEC);
        if (busy || c->lockfd < 0 || flock(c->lockfd, LOCK_EX | LOCK_NB)) {
            if (c->lockfd >= 0)
                g_close()(c->lockfd);
            c->lockfd = -1;
            BAD(EBUSY);
        }
        if (a->count < 2)
            a->count = 2;
        if (a->count > MAXBUF)
            a->count = MAXBUF;
        c->sizeimage = (c->pix.sizeimage + 4095u) & ~4095u;
        c->nbuf = a->count;
        size_t len = (size_t)c->nbuf * c->sizeimage;
        c->memfd = memfd_create("fakecam", MFD_CLOEXEC);
        if (c->memfd < 0 || ftruncate(c->memfd, len))
            BAD(ENOMEM);
        c->map = g_mmap()(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
        if (c->map == MAP_FAILED) {
            c->map = NULL;
            BAD(ENOMEM);
        }
        a->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *b = arg;
        if (b->index >= c->nbuf)
            BAD(EINVAL);
        fill_buf(c, b, b->index);
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *b = arg;
        if (b->index >= c->nbuf || c->buf[b->index].state)
            BAD(EINVAL);
        c->buf[b->index].state = 1;
        c->queue[c->qn++] = b->index;
        fill_buf(c, b, b->index);
        return 0;
    }
    case VIDIOC_DQBUF: {
        struct v4l2_buffer *b = arg;
        eventfd_t v;
        if (!c->streaming)
            BAD(EINVAL);
        if (!c->dn)
            BAD(EAGAIN); /* callers that open without O_NONBLOCK are expected to poll() first */
        int i = c->done[0];
        memmove(c->done, c->done + 1, --c->dn * sizeof(int));
        eventfd_read(c->fd, &v);
        fill_buf(c, b, i);
        c->buf[i].state = 0;
        return 0;
    }
    case VIDIOC_STREAMON: {
        char p[512];
        struct stat st;
        if (busy)
            BAD(EBUSY);
        if (!c->nbuf)
            BAD(EINVAL);
        if (c->streaming)
            return 0;
        free(c->jpg);
        c->jpg = NULL;
        c->jpgpos = c->jpglen = 0;
        c->seq = 0;
        char sfx[40];
        snprintf(sfx, sizeof sfx, ".%ux%u.mjpg", c->pix.width, c->pix.height);
        int f = g_open()(fpath(p, "ctl", c->id, sfx), O_RDONLY | O_CLOEXEC);
        if (f >= 0) {
            if (!fstat(f, &st) && (c->jpg = malloc(st.st_size + 1)))
                while (c->jpglen < (size_t)st.st_size) {
                    ssize_t k = read(f, c->jpg + c->jpglen, st.st_size - c->jpglen);
                    if (k <= 0)
                        break;
                    c->jpglen += k;
                }
            g_close()(f);
        }
        c->quit = 0;
        if (pthread_create(&c->thr, NULL, feeder, c))
            BAD(ENOMEM);
        c->streaming = 1;
        return 0;
    }
    case VIDIOC_STREAMOFF:
        stream_off(c);
        return 0;
    case VIDIOC_G_INPUT:
        *(int *)arg = 0;
        return 0;
    case VIDIOC_S_INPUT:
        if (*(int *)arg)
            BAD(EINVAL);
        return 0;
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *a = arg;
        if (a->index)
            BAD(EINVAL);
        memset(a, 0, sizeof *a);
        snprintf((char *)a->name, sizeof a->name, "Camera");
        a->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    }
    case VIDIOC_QUERYCTRL:
    case VIDIOC_QUERY_EXT_CTRL:
    case VIDIOC_G_CTRL:
    case VIDIOC_S_CTRL:
        BAD(EINVAL);
    default:
        BAD(ENOTTY);
    }
}

/* ---- what the program calls ---- */
static int fake_open(const char *path, int flags, const char **redirect, char *tmp) { /* -2: not ours */
    *redirect = path;
    if (!path || !root())
        return -2;
    if (!strncmp(path, "/sys/class/video4linux/", 23)) {
        snprintf(tmp, 512, "%s/sys/%s", root(), path + 23);
        *redirect = tmp;
        return -2;
    }
    if (strncmp(path, "/dev/video", 10) || strchr(path + 5, '/'))
        return -2;
    const char *id = path + 5;
    if (!have("dev", id, ""))
        BAD(ENOENT);
    if (have("ctl", id, ".deny"))
        BAD(EACCES);
    struct cam *c = calloc(1, sizeof *c);
    if (!c)
        BAD(ENOMEM);
    snprintf(c->id, sizeof c->id, "%s", id);
    c->memfd = c->lockfd = -1;
    parse_spec(c);
    if (c->start.fourcc)
        set_mode(c, &c->start);
    else if (c->nmode)
        set_mode(c, &c->modes[0]);
    else if (c->nrange)
        set_mode(c, &(struct mode){c->ranges[0].fourcc, c->ranges[0].w[0], c->ranges[0].h[0], 30, 1});
    c->fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | (flags & O_CLOEXEC ? EFD_CLOEXEC : 0));
    pthread_mutex_lock(&lock);
    int at = -1;
    for (int i = 0; i < MAXCAM; i++)
        if (!cams[i]) {
            cams[i] = c;
            at = i;
            break;
        }
    pthread_mutex_unlock(&lock);
    if (at < 0) {
        g_close()(c->fd);
        free(c);
        BAD(EMFILE);
    }
    return c->fd;
}
#define OPEN_BODY(call)                                                                                                \
    va_list ap;                                                                                                        \
    va_start(ap, flags);                                                                                               \
    mode_t mode = va_arg(ap, mode_t);                                                                                  \
    va_end(ap);                                                                                                        \
    const char *p;                                                                                                     \
    char tmp[512];                                                                                                     \
    int fd = fake_open(path, flags, &p, tmp);                                                                          \
    return fd == -2 ? (call) : fd;
int open(const char *path, int flags, ...) { OPEN_BODY(g_open()(p, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN_BODY(g_open()(p, flags | O_LARGEFILE, mode)) }
int openat(int d, const char *path, int flags, ...) { OPEN_BODY(g_openat()(d, p, flags, mode)) }
int openat64(int d, const char *path, int flags, ...) { OPEN_BODY(g_openat()(d, p, flags | O_LARGEFILE, mode)) }
int __open_2(const char *path, int flags) { return open(path, flags); } /* what _FORTIFY_SOURCE builds call */
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int close(int fd) {
    if (fd >= 0 && find(fd)) {
        pthread_mutex_lock(&lock);
        struct cam *c = find(fd);
        if (c) {
            free_bufs(c);
            for (int i = 0; i < MAXCAM; i++)
                if (cams[i] == c)
                    cams[i] = NULL;
            free(c->jpg);
            free(c);
        }
        pthread_mutex_unlock(&lock);
    }
    return g_close()(fd);
}
static int locked_ioctl(int fd, unsigned long req, void *arg, int *mine) {
    int r = -1;
    *mine = 0;
    struct cam *asked = find(fd);
    if (!asked)
        return -1;
    while (have("ctl", asked->id, ".hang"))
        usleep(10000);
    pthread_mutex_lock(&lock);
    struct cam *c = find(fd);
    if (c) {
        *mine = 1;
        r = do_ioctl(c, req, arg);
    }
    int e = errno;
    pthread_mutex_unlock(&lock);
    errno = e;
    return r;
}
int ioctl(int fd, unsigned long req, ...) {
    va_list ap;
    va_start(ap, req);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    int mine, r = locked_ioctl(fd, req, arg, &mine);
    return mine ? r : g_ioctl()(fd, req, arg);
}
long syscall(long n, ...) { /* the v4l crate calls ioctl this way */
    va_list ap;
    va_start(ap, n);
    long a[6];
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (n == SYS_ioctl) {
        int mine, r = locked_ioctl((int)a[0], (unsigned long)a[1], (void *)a[2], &mine);
        if (mine)
            return r;
    }
    return g_syscall()(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
static void *map_any(void *at, size_t len, int prot, int flags, int fd, off_t off) {
    if (fd >= 0 && !(flags & MAP_ANONYMOUS)) {
        struct cam *c = find(fd);
        if (c) {
            if (c->memfd < 0) {
                errno = EINVAL;
                return MAP_FAILED;
            }
            fd = c->memfd;
        }
    }
    return g_mmap()(at, len, prot, flags, fd, off);
}
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t off) {
    return map_any(at, len, prot, flags, fd, off);
}
void *mmap64(void *at, size_t len, int prot, int flags, int fd, off_t off) {
    return map_any(at, len, prot, flags, fd, off);
}
int stat(const char *path, struct stat *st) {
    if (root() && !strncmp(path, "/dev/video", 10)) {
        if (!have("dev", path + 5, ""))
            BAD(ENOENT);
        memset(st, 0, sizeof *st);
        st->st_mode = S_IFCHR | 0660;
        st->st_rdev = makedev(81, atoi(path + 10));
        return 0;
    }
    return fstatat(AT_FDCWD, path, st, 0);
}
int stat64(const char *path, struct stat64 *st) {
    return stat(path, (struct stat *)st);
}                                /* one layout on 64-bit glibc */
DIR *opendir(const char *path) { /* a listing of /dev shows only the fake cameras */
    char p[512];
    if (root() && (!strcmp(path, "/dev") || !strcmp(path, "/dev/"))) {
        snprintf(p, sizeof p, "%s/dev", root());
        path = p;
    }
    return g_opendir()(path);
}
