#include "parts.h"

#include <stdlib.h>
#include <webp/decode.h>
#include <webp/demux.h>

static void
must(VP8StatusCode status)
{
	static const char *const why[] = {
		[VP8_STATUS_INVALID_PARAM] = "has no pixels",
		[VP8_STATUS_BITSTREAM_ERROR] = "is damaged",
		[VP8_STATUS_UNSUPPORTED_FEATURE] = "is of a kind that nobody knows",
		[VP8_STATUS_SUSPENDED] = "ends too soon",
		[VP8_STATUS_USER_ABORT] = "was not read to its end",
		[VP8_STATUS_NOT_ENOUGH_DATA] = "ends too soon",
	};

	if (status == VP8_STATUS_OUT_OF_MEMORY)
		give_up(PICTURE_TOO_MUCH, "no room for the decoder");
	if (status != VP8_STATUS_OK)
		give_up(PICTURE_UNREADABLE, why[status]);
}

static struct bytes
chunk(const WebPDemuxer *file, const char *type)
{
	WebPChunkIterator found;

	if (WebPDemuxGetChunk(file, type, 1, &found) == 0)
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ found.chunk.bytes, found.chunk.size };
}

/* The decoder can shrink what it reads, not as well, so it does until twice of what
 * is wanted is left.  Of what is transparent and lossy it would mix what cannot be
 * seen into what can. */
static void
shrink_early(WebPDecoderConfig *config, int *width, int *height)
{
	if (config->input.has_alpha && config->input.format != 2)
		return;
	fit(width, height, 2 * picture_bounds[0]);
	config->options.use_scaling = 1;
	config->options.scaled_width = *width;
	config->options.scaled_height = *height;
}

/* Onto an empty canvas, where the frame has its place. */
static void
read_frame(const WebPIterator *frame, int width, int height, WebPPicture *picture)
{
	WebPDecoderConfig config;
	WebPRGBABuffer *to = &config.output.u.RGBA;
	struct shrinker *into;
	unsigned char *canvas;

	if (!WebPInitDecoderConfig(&config))
		give_up(PICTURE_BROKEN, "not the libwebp that this was built for");
	make_fitting(picture, width, height, picture_bounds[0]);
	must(WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input));
	if (frame->width == width && frame->height == height)
		shrink_early(&config, &width, &height);
	canvas = room_for((size_t)height, (size_t)width * 4);
	to->stride = width * 4;
	to->rgba = canvas + (size_t)frame->y_offset * (size_t)to->stride + 4 * frame->x_offset;
	to->size = (size_t)height * (size_t)to->stride - (size_t)(to->rgba - canvas);
	config.output.colorspace = MODE_BGRA;
	config.output.is_external_memory = 1;
	must(WebPDecode(frame->fragment.bytes, frame->fragment.size, &config));
	into = shrinker(picture, width, height);
	for (int y = 0; y < height; y++)
		shrink_row(into, canvas + (size_t)y * (size_t)to->stride);
	free(canvas);
}

void
read_webp(struct found *found, struct bytes file)
{
	WebPDemuxer *demuxer = WebPDemux(&(WebPData){ file.at, file.n });
	WebPIterator first;
	int width, height;

	if (demuxer == NULL || !WebPDemuxGetFrame(demuxer, 1, &first))
		give_up(PICTURE_UNREADABLE, "ends too soon");
	width = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
	height = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
	check_size(width, height);
	read_frame(&first, width, height, &found->pixels);
	found->orientation = exif_orientation(chunk(demuxer, "EXIF"));
	found->profile = chunk(demuxer, "ICCP");
}

struct bytes
write_webp(const WebPPicture *picture, int quality, int effort)
{
	WebPConfig config;
	WebPMemoryWriter to;
	WebPPicture view;

	/* Of its own it has the luma and chroma that the encoder makes of it. */
	if (!WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, (float)quality) ||
	    !WebPPictureView(picture, 0, 0, picture->width, picture->height, &view))
		give_up(PICTURE_BROKEN, "not the libwebp that this was built for");
	config.method = effort;
	WebPMemoryWriterInit(&to);
	view.writer = WebPMemoryWrite;
	view.custom_ptr = &to;
	if (!WebPEncode(&config, &view))
		give_up(PICTURE_TOO_MUCH, "no room for the encoder");
	WebPPictureFree(&view);
	return (struct bytes){ to.mem, to.size };
}
