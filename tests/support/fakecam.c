/* fakecam: an LD_PRELOAD V4L2 capture device for tests. No kernel driver needed.
 *
 *   cc -shared -fPIC -O2 -o libfakecam.so fakecam.c -ldl -lpthread
 *   FAKECAM_DIR=./fc LD_PRELOAD=./libfakecam.so your-program
 *
 * It stands in front of open, ioctl, mmap and their relatives. A fake camera's descriptor is an eventfd that counts
 * finished frames, so that poll() works on it; a thread a stream finishes them at the frame rate. One lock guards all.
 *
 * Layout of $FAKECAM_DIR (all live: change the files while the program runs):
 *   dev/videoN          exists = plugged in; deleted = unplugged (ENODEV on every later call). Lines:
 *                       "name TEXT" | "fmt YUYV|MJPG|NV12 WxH FPS [FPS...]"; without fmt it is no capture device
 *   sys/videoN/name     optional, what /sys/class/video4linux/videoN/name reads as
 *   ctl/videoN.deny     open() fails with EACCES
 *   ctl/videoN.busy     S_FMT/S_PARM/REQBUFS/STREAMON fail with EBUSY (another program streams);
 *                       two processes using one fake camera get this too (flock on dev/videoN)
 *   ctl/videoN.stall    no frames are delivered while it exists
 *   ctl/videoN.hang     ioctl() does not return while it exists, whatever signals come (a driver's bug)
 *   ctl/videoN.WxH.mjpg concatenated JPEGs played in a loop when MJPG WxH is chosen
 *
 * YUYV/NV12 frames: scrolling colour bars; the top 16 lines hold the 32-bit frame sequence number,
 * MSB first, as 32 cells of width W/32 with luma 235 (1) or 16 (0).
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

struct mode {
    uint32_t fourcc, w, h, fps;
};
struct cam {
    int fd, memfd, lockfd, n, streaming, dead, quit, nmode, fps;
    char id[32], name[32];
    struct mode modes[MAXMODE];
    struct v4l2_pix_format pix;
    uint32_t sizeimage, seq, nbuf;
    uint8_t *map;
    struct {
        int state;
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

static void parse_spec(struct cam *c) {
    char p[512], line[256];
    FILE *f = fopen(fpath(p, "dev", c->id, ""), "r");
    snprintf(c->name, sizeof c->name, "Fake Camera");
    while (f && fgets(line, sizeof line, f)) {
        char cc[8];
        unsigned w, h;
        int pos = 0;
        if (!strncmp(line, "name ", 5)) {
            line[strcspn(line, "\n")] = 0;
            snprintf(c->name, sizeof c->name, "%.31s", line + 5);
        } else if (sscanf(line, "fmt %4s %ux%u%n", cc, &w, &h, &pos) == 3)
            for (char *s = line + pos, *e; c->nmode < MAXMODE; s = e) {
                unsigned fps = strtoul(s, &e, 10);
                if (e == s)
                    break;
                c->modes[c->nmode++] = (struct mode){v4l2_fourcc(cc[0], cc[1], cc[2], cc[3]), w, h, fps};
            }
    }
    if (f)
        fclose(f);
}
static uint32_t image_size(uint32_t cc, uint32_t w, uint32_t h) {
    return cc == V4L2_PIX_FMT_NV12 ? w * h * 3 / 2 : w * h * 2;
}
static void set_mode(struct cam *c, const struct mode *m) {
    memset(&c->pix, 0, sizeof c->pix);
    c->pix.width = m->w;
    c->pix.height = m->h;
    c->pix.pixelformat = m->fourcc;
    c->pix.field = V4L2_FIELD_NONE;
    c->pix.bytesperline = m->fourcc == V4L2_PIX_FMT_YUYV ? m->w * 2 : m->fourcc == V4L2_PIX_FMT_NV12 ? m->w : 0;
    c->pix.sizeimage = image_size(m->fourcc, m->w, m->h);
    c->pix.colorspace = V4L2_COLORSPACE_SRGB;
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
static uint32_t draw(struct cam *c, uint8_t *d, uint32_t seq) {
    uint32_t w = c->pix.width, h = c->pix.height;
    uint8_t Y, U, V, Y2;
    if (c->pix.pixelformat == V4L2_PIX_FMT_MJPEG) { /* next JPEG: from FFD8 to FFD9 */
        if (!c->jpg)
            return 0;
        for (int turn = 0; turn < 2; turn++, c->jpgpos = 0) {
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
    uint32_t stride = c->pix.pixelformat == V4L2_PIX_FMT_YUYV ? w * 2 : w;
    for (uint32_t y = 0; y < h; y++) {
        uint8_t *row = d + (size_t)y * stride;
        if (y != 0 && y != 16) {
            memcpy(row, d + (size_t)(y < 16 ? 0 : 16) * stride, stride);
            continue;
        }
        for (uint32_t x = 0; x < w; x += 2) {
            pixel(c, seq, x, y, &Y, &U, &V);
            pixel(c, seq, x + 1, y, &Y2, &(uint8_t){0}, &(uint8_t){0});
            if (stride == w * 2) {
                row[2 * x] = Y;
                row[2 * x + 1] = U;
                row[2 * x + 2] = Y2;
                row[2 * x + 3] = V;
            } else {
                row[x] = Y;
                row[x + 1] = Y2;
            }
        }
    }
    if (stride == w)
        for (uint32_t y = 0; y < h / 2; y++)
            for (uint32_t x = 0; x < w; x += 2) {
                uint8_t *uv = d + (size_t)w * h + (size_t)y * w + x;
                pixel(c, seq, x, y * 2, &Y, &uv[0], &uv[1]);
            }
    return c->sizeimage;
}
static void *feeder(void *arg) {
    struct cam *c = arg;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        next.tv_nsec += 1000000000L / (c->fps ? c->fps : 30);
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            next.tv_sec++;
        }
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
                c->buf[i].used = draw(c, c->map + (size_t)i * c->sizeimage, c->seq);
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
    b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_MAPPED |
               (c->buf[i].state == 1   ? V4L2_BUF_FLAG_QUEUED
                : c->buf[i].state == 2 ? V4L2_BUF_FLAG_DONE
                                       : 0);
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
            a->flags = a->pixelformat == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
            snprintf((char *)a->description, sizeof a->description, "%.4s", (char *)&a->pixelformat);
            return 0;
        }
        BAD(EINVAL);
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *a = arg;
        uint32_t k = 0;
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
        for (int i = 0; i < c->nmode; i++) {
            struct mode *m = &c->modes[i];
            if (m->fourcc != a->pixel_format || m->w != a->width || m->h != a->height || k++ != a->index)
                continue;
            a->type = V4L2_FRMIVAL_TYPE_DISCRETE;
            a->discrete.numerator = 1;
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
    case VIDIOC_TRY_FMT: { /* nearest mode of the wanted fourcc, else the first mode */
        struct v4l2_format *a = arg;
        struct v4l2_pix_format keep = c->pix;
        long best = -1;
        int at = 0;
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        if (req == VIDIOC_S_FMT && (busy || c->nbuf))
            BAD(EBUSY);
        for (int i = 0; i < c->nmode; i++)
            if (c->modes[i].fourcc == a->fmt.pix.pixelformat) {
                long d = labs((long)c->modes[i].w - a->fmt.pix.width) + labs((long)c->modes[i].h - a->fmt.pix.height);
                if (best < 0 || d < best)
                    best = d, at = i;
            }
        if (!c->nmode)
            BAD(EINVAL);
        set_mode(c, &c->modes[at]);
        a->fmt.pix = c->pix;
        if (req == VIDIOC_TRY_FMT)
            c->pix = keep;
        else
            c->fps = c->modes[at].fps;
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *a = arg;
        struct v4l2_fract *t = &a->parm.capture.timeperframe;
        if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            BAD(EINVAL);
        if (req == VIDIOC_S_PARM) {
            if (busy)
                BAD(EBUSY);
            int want = t->numerator ? (int)(t->denominator / t->numerator) : c->fps, best = c->fps, d = 1 << 30;
            for (int i = 0; i < c->nmode; i++) {
                struct mode *m = &c->modes[i];
                if (m->fourcc == c->pix.pixelformat && m->w == c->pix.width && m->h == c->pix.height &&
                    abs((int)m->fps - want) < d) {
                    d = abs((int)m->fps - want);
                    best = m->fps;
                }
            }
            c->fps = best;
        }
        memset(&a->parm, 0, sizeof a->parm);
        a->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        t->numerator = 1;
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
    if (c->nmode) {
        set_mode(c, &c->modes[0]);
        c->fps = c->modes[0].fps;
    }
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
