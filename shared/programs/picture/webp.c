#include "parts.h"

#include <stdio.h>
#include <string.h>
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

/* Into the canvas where the frame has its place.  The decoder can shrink it while
 * it reads; but of what is transparent and lossy it would mix what cannot be seen
 * into what can. */
static void
read_frame(const WebPIterator *frame, int width, int height, WebPPicture *canvas)
{
	WebPDecoderConfig config;
	WebPRGBABuffer *to = &config.output.u.RGBA;

	if (!WebPInitDecoderConfig(&config))
		give_up(PICTURE_BROKEN, "not the libwebp that this was built for");
	must(WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input));
	if (frame->width == width && frame->height == height &&
	    (!config.input.has_alpha || config.input.format == 2)) {
		fit(&width, &height, picture_bounds[0]);
		config.options.use_scaling = 1;
		config.options.scaled_width = width;
		config.options.scaled_height = height;
	}
	make_room(canvas, width, height);
	for (int y = 0; y < height; y++)
		memset(row_of(canvas, y), 0, (size_t)width * 4);
	to->rgba = row_of(canvas, frame->y_offset) + 4 * frame->x_offset;
	to->stride = canvas->argb_stride * 4;
	to->size = (size_t)to->stride * (size_t)(height - frame->y_offset) -
	    4 * (size_t)frame->x_offset;
	config.output.colorspace = MODE_BGRA;
	config.output.is_external_memory = 1;
	must(WebPDecode(frame->fragment.bytes, frame->fragment.size, &config));
}

void
read_webp(struct found *found, struct bytes file)
{
	WebPDemuxer *demuxer;
	WebPIterator first;
	int width, height;

	if (!WebPGetInfo(file.at, file.n, &width, &height))
		must(VP8_STATUS_BITSTREAM_ERROR);
	check_size(width, height);
	demuxer = WebPDemux(&(WebPData){ file.at, file.n });
	if (demuxer == NULL || !WebPDemuxGetFrame(demuxer, 1, &first))
		must(VP8_STATUS_NOT_ENOUGH_DATA);
	read_frame(&first, (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
	    (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), &found->pixels);
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
