"""The templates in ``example_workflows``: each is drawn by a function, with ``workflow.py``.

Run the test ``tests/nodes/schema/test_templates.py`` with ``GROK_IMAGINE_WRITE=1`` to write the files. Every one runs
on the sandbox at no cost and needs no model. The picture of each, ``<name>.jpg``, is a frame of its result.
"""

from __future__ import annotations

from typing import Any

FIRST, SECOND, THIRD, FOURTH = ((40 + 400 * number, 60) for number in range(4))
"""The places of a row's nodes. Four of them are seen at 70 % in a window of 1500 pixels."""
SAVE = (340, 350)
TEXT = (370, 420)
IMAGE = (370, 480)
NOTE, NOTE_SIZE = (40, -300), (1170, 280)
"""Above the row: below it, each node grows by its clip."""


def text_to_video(graph: Any) -> None:
    """A clip from a prompt, and where the key goes."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## A clip from a prompt

Press **Run**. The connection **sandbox** is an offline stand-in: it needs no key, costs nothing, and makes a real MP4.

**For real clips**
1. Open *Grok Jobs* in the sidebar, then the cog, and enter a provider's key; or set it in the server's environment.
2. Choose that connection in *Grok Imagine: Text to Video*. The node says what a clip costs there.

**What is paid, and when**
- The same inputs and seed are the same clip, paid once, also after a restart.
- A new **seed** is a new clip, paid anew.
- *Stop* does not lose the job: run again, and it goes on.""",
    )
    clip = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        prompt="A paper boat drifts down a rain-soaked street at dusk, reflections of neon signs, slow tracking shot",
        resolution="480p",
        aspect_ratio="16:9",
        seed=1,
    )
    graph.node("SaveVideo", SECOND, SAVE, links={"video": (clip, "video")}, filename_prefix="video/grok_text")
    graph.node("PreviewAny", THIRD, (370, 300), "Job and cost", {"source": (clip, "info")})


def image_to_video(graph: Any) -> None:
    """A clip from an image that a graph makes."""
    image = _sunrise(graph)
    graph.node("PreviewImage", (-195, 500), (205, 250), "This image is sent", {"images": (image, "IMAGE")})
    graph.group("An image: plug your own generator in instead", (-665, -20, 695, 880))
    clip = graph.node(
        "GIVImageToVideo",
        FIRST,
        IMAGE,
        links={"image_1": (image, "IMAGE")},
        prompt="The sun rises slowly, warm haze, gentle camera push-in",
        resolution="480p",
        seed=1,
    )
    graph.node("SaveVideo", SECOND, SAVE, links={"video": (clip, "video")}, filename_prefix="video/grok_image")
    graph.note(
        (440, 480),
        (340, 470),
        """## A clip from your own image

The group **An image** paints a sunrise with core nodes, so that this runs without any model.

**Use your own generator:** delete that group and plug any IMAGE, the output of *VAE Decode* or *Load Image* for \
example, into **image_1**.

- More images go into image_2 … image_7. Every image of a batch counts.
- Images that are online already go into **image_urls**, one URL a line.
- *sandbox* has its own upload. Other providers fetch images by public URL: set up a store once, in *Grok Jobs*, \
the cog, *Stores*.""",
    )


def _sunrise(graph: Any) -> Any:
    """A picture, painted with core nodes."""
    left, second, third, width = -645, -420, -195, 205
    plain = (width, 130)
    sky = graph.node("EmptyImage", (left, 60), plain, "Sky", width=2, height=1, color=2769510)
    low = graph.node("EmptyImage", (left, 280), plain, "Horizon", width=2, height=1, color=15961418)
    square = graph.node("SolidMask", (left, 500), (width, 106), "Square", value=1.0, width=220, height=220)
    gold = graph.node("EmptyImage", (left, 690), plain, "Sun's colour", width=220, height=220, color=16769174)
    stitched = graph.node(
        "ImageStitch",
        (second, 60),
        (width, 150),
        "Sky above horizon",
        {"image1": (sky, "IMAGE"), "image2": (low, "IMAGE")},
        direction="down",
        match_image_size=False,
    )
    blend = graph.node(
        "ImageScale",
        (second, 280),
        plain,
        "Blend",
        {"image": (stitched, "IMAGE")},
        upscale_method="bilinear",
        width=854,
        height=480,
    )
    edges = {"left": 110, "top": 110, "right": 110, "bottom": 110}
    soft = graph.node("FeatherMask", (second, 500), plain, "Soft edges", {"mask": (square, "MASK")}, **edges)
    disc = graph.node("ThresholdMask", (second, 710), (width, 60), "Disc", {"mask": (soft, "MASK")}, value=0.17)
    sun = graph.node(
        "ImageCompositeMasked",
        (third, 60),
        (width, 150),
        "Sun into the sky",
        {"destination": (blend, "IMAGE"), "source": (gold, "IMAGE"), "mask": (disc, "MASK")},
        x=317,
        y=170,
    )
    return graph.node(
        "ImageBlur", (third, 280), (width, 82), "Haze", {"image": (sun, "IMAGE")}, blur_radius=31, sigma=10.0
    )


def several_references(graph: Any) -> None:
    """Several images in one clip, named by their tokens."""
    graph.note(
        (440, 480),
        (340, 440),
        """## Several references

Each image is something that should appear in the clip. Beside its socket stands its token: **@image1**, **@image2** …

- Type **@** in the prompt to choose one.
- Images count in the order of the sockets; every image of a batch counts.
- Replace the two groups of shades by *Load Image* or your own generator.

**Free:** the connection *sandbox-xai* is the offline stand-in for xAI, which takes up to seven references.""",
    )
    hero = _shades(graph, "Hero", 60, 16763282, 9118015)
    place = _shades(graph, "Place", 520, 2240322, 4040611)
    graph.group("Two images: plug your own in instead", (-665, -20, 695, 940))
    clip = graph.node(
        "GIVImageToVideo",
        FIRST,
        IMAGE,
        links={"image_1": (hero, "IMAGE"), "image_2": (place, "IMAGE")},
        connection="sandbox-xai",
        mode="reference_to_video",
        prompt="@image1 crosses the square of @image2 in the morning, hand-held camera",
        resolution="480p",
        aspect_ratio="16:9",
        seed=1,
    )
    graph.node("SaveVideo", SECOND, SAVE, links={"video": (clip, "video")}, filename_prefix="video/grok_references")


def _shades(graph: Any, title: str, top: int, above: int, below: int) -> Any:
    """A picture that goes from one colour to another."""
    plain = (205, 130)
    high = graph.node("EmptyImage", (-645, top), plain, f"{title}, above", width=2, height=1, color=above)
    low = graph.node("EmptyImage", (-645, top + 220), plain, f"{title}, below", width=2, height=1, color=below)
    both = {"image1": (high, "IMAGE"), "image2": (low, "IMAGE")}
    stitched = graph.node(
        "ImageStitch", (-420, top), (205, 150), f"{title}, both", both, direction="down", match_image_size=False
    )
    size = {"upscale_method": "bilinear", "width": 768, "height": 512}
    return graph.node("ImageScale", (-195, top), plain, title, {"image": (stitched, "IMAGE")}, **size)


def wait_for_task(graph: Any) -> None:
    """The clip of a task that is known by its id."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## Wait for a task by its id

*Grok Imagine: Wait for Task* gives the clip of any job, by its id here or by its id at the \
provider. It submits nothing and \
costs nothing.

Here it gets the **task_id** of the first node, so that this runs as it is. For a task of your own, delete that node, \
choose the connection and type the id into **task_id**; or the id from the Jobs panel into **job_id**.

Use it after a crash, on another machine, or for a task that you started elsewhere.""",
    )
    clip = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        prompt="A lighthouse at night, slow orbit",
        resolution="480p",
        aspect_ratio="16:9",
        seed=2,
    )
    again = graph.node("GIVWaitForTask", SECOND, (370, 320), links={"task_id": (clip, "task_id")})
    graph.node("SaveVideo", THIRD, SAVE, links={"video": (again, "video")}, filename_prefix="video/grok_waited")


def frames_post_process(graph: Any) -> None:
    """Frames, audio and rate: worked on, and saved again."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## Work on the frames, keep the sound

*Load Video Frames* decodes the clip into an IMAGE batch, its audio and its frame rate. Any node that works on images \
fits in between.

- **fps** and **audio** go straight to *Create Video*, so picture and sound stay in step.
- All frames are held in memory: 6 s at 480p take about 0.7 GB, at 720p 1.6 GB. For long videos see *Split Video into \
Chunks*.
- Without a VIDEO, give **source** a file name in ComfyUI's input folder, a public https URL, or a **job_id**.""",
    )
    clip = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        prompt="Macro shot of frost growing over a window pane, morning light",
        resolution="480p",
        aspect_ratio="16:9",
        seed=1,
    )
    frames = graph.node("GIVLoadVideoFrames", SECOND, (370, 480), links={"video": (clip, "video")})
    sharp = graph.node("ImageSharpen", (855, 140), (340, 110), links={"image": (frames, "images")}, alpha=0.6)
    graph.group("Your post-processing", (830, 60, 390, 210))
    film = graph.node(
        "CreateVideo",
        FOURTH,
        (340, 102),
        links={"images": (sharp, "IMAGE"), "audio": (frames, "audio"), "fps": (frames, "fps")},
    )
    graph.node(
        "SaveVideo", (1240, 240), SAVE, links={"video": (film, "VIDEO")}, filename_prefix="video/grok_post_processed"
    )


def last_frame_to_next_clip(graph: Any) -> None:
    """The last picture of a clip starts another."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## The last picture starts the next clip

*Load Video Frames* hands on **last_frame** without decoding the rest of the clip; it starts the second clip. Put an \
upscaler or an image editor between the two to steer what comes next.

To go on in the same way several times, and get one film, see the template *Long Clip*.""",
    )
    first = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        prompt="A train approaches through a snowy valley",
        resolution="480p",
        aspect_ratio="16:9",
        seed=5,
    )
    frames = graph.node(
        "GIVLoadVideoFrames", SECOND, (370, 480), links={"video": (first, "video")}, which_frames="last"
    )
    after = graph.node(
        "GIVImageToVideo",
        THIRD,
        IMAGE,
        links={"image_1": (frames, "last_frame")},
        prompt="The train passes, snow whirls up",
        resolution="480p",
        seed=5,
    )
    graph.node("SaveVideo", FOURTH, SAVE, links={"video": (after, "video")}, filename_prefix="video/grok_next")


def long_clip(graph: Any) -> None:
    """A film of several segments."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## A long clip, by chaining

*Grok Imagine: Continue Video* lets a clip go on: **one line of the prompts is one segment**, \
joined to one film. It works with \
every connection, by the last picture where the provider cannot extend a video.

- Every segment is a job of its own, paid as one clip. After a failure run again: what is paid is kept.
- Changing a line pays only for that segment and those after it.
- **info** says the price of the whole, where the seams are, and which job made which segment.""",
    )
    clip = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        prompt="A paper boat leaves the shore of a calm lake",
        resolution="480p",
        aspect_ratio="16:9",
        seed=3,
    )
    film = graph.node(
        "GIVContinueVideo",
        SECOND,
        TEXT,
        links={"video": (clip, "video")},
        prompts="The boat meets a flock of ducks\nIt reaches a small island at dusk",
        resolution="480p",
        seed=3,
    )
    graph.node("SaveVideo", THIRD, SAVE, links={"video": (film, "video")}, filename_prefix="video/grok_long")
    graph.node("PreviewAny", FOURTH, (340, 420), "Plan, seams and cost", {"source": (film, "info")})


def edit_and_extend(graph: Any) -> None:
    """A clip is changed, then goes on."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## Edit, then extend

*Grok Imagine: Edit Video* changes a clip as its prompt says; *Grok Imagine: Extend Video* lets it \
go on. Both are offered by **xAI** \
and OpenAI-compatible gateways, so the connection here is their offline stand-in, *sandbox-xai*.

Plug any VIDEO of your own in place of the first node. xAI edits up to 8.7 s, and extends clips of 2 to 15 s; what the \
connection does not take is said before anything is uploaded.""",
    )
    clip = graph.node(
        "GIVTextToVideo",
        FIRST,
        TEXT,
        connection="sandbox-xai",
        prompt="A cottage in a summer meadow",
        resolution="480p",
        aspect_ratio="16:9",
        duration=4,
        seed=4,
    )
    winter = graph.node(
        "GIVEditVideo",
        SECOND,
        TEXT,
        links={"video": (clip, "video")},
        connection="sandbox-xai",
        prompt="Make it winter, with falling snow",
        seed=4,
    )
    longer = graph.node(
        "GIVExtendVideo",
        THIRD,
        TEXT,
        links={"video": (winter, "video")},
        connection="sandbox-xai",
        prompt="The camera rises above the roof",
        duration=4,
        seed=4,
    )
    graph.node("SaveVideo", FOURTH, SAVE, links={"video": (longer, "video")}, filename_prefix="video/grok_edited")


def batch(graph: Any) -> None:
    """Many clips from a list."""
    graph.note(
        NOTE,
        NOTE_SIZE,
        """## Many clips from a list

*Grok Imagine: Batch* makes a clip of **every line**. A line is a prompt, or a JSON object that has \
its own length, ratio, \
connection or images; CSV with a header works, too.

- **at_once** clips are under way together. **max_usd** is the most that the list may cost.
- A row that fails is reported, and the others go on. Stop and run again: it goes on where it stood, and nothing is \
paid twice.
- *Save Video* runs for each clip. **results** names each row's state, file, cost and job.""",
    )
    rows = [
        "A red kite over a windy beach",
        '{"prompt": "A night train in the snow", "duration": 8}',
        '{"prompt": "Paper lanterns on a river", "aspect_ratio": "9:16"}',
    ]
    many = graph.node(
        "GIVBatch", FIRST, (370, 540), rows="\n".join(rows), resolution="480p", aspect_ratio="16:9", seed=6
    )
    graph.node("SaveVideo", SECOND, SAVE, links={"video": (many, "videos")}, filename_prefix="video/grok_batch")
    graph.node("PreviewAny", THIRD, (370, 120), "Summary", {"source": (many, "summary")})
    graph.node("PreviewAny", (840, 290), (370, 320), "Results, a line a row", {"source": (many, "results")})


def film(graph: Any) -> None:
    """A film from a shot list."""
    graph.note(
        (-665, -250),
        (1490, 190),
        """## A film from a shot list

**One line is one shot.** Press **Run**: three clips are made and joined. It is free on the sandbox.

1. Change a word in a shot and press Run again: only that shot is made again, with the shots that continue it.
2. Write options in brackets before a prompt: `[continue]` starts from the last frame of the shot before, `[8s]` sets \
its length, `[take 2 of 4]` makes four takes and uses the second.
3. **@anna** stands for the images of *Grok Imagine: Cast*. Connect your own picture there.

**Before you pay:** turn **draft** on. The film is then made on the sandbox, within the limits of your connection's \
provider.""",
    )
    graph.group("An image: plug your own in instead", (-665, -20, 695, 460))
    hero = _shades(graph, "Anna", 60, 16763282, 9118015)
    cast = graph.node("GIVCast", (-260, 480), (290, 120), links={"images": (hero, "IMAGE")}, name="anna")
    made = graph.node(
        "GIVFilm",
        (70, 60),
        (370, 560),
        links={"cast": (cast, "cast")},
        connection="sandbox-xai",
        shots="A paper boat leaves the shore of a calm lake at dawn\n"
        "[continue] It drifts past a flock of ducks\n"
        "[4s] @anna waves from the pier",
        resolution="480p",
        aspect_ratio="16:9",
        seed=8,
    )
    graph.node("SaveVideo", (470, 60), SAVE, links={"video": (made, "video")}, filename_prefix="video/grok_film")
    graph.node("PreviewAny", (470, 450), (355, 250), "Plan, takes and cost", {"source": (made, "info")})


TEMPLATES = {
    "Text to Video": text_to_video,
    "Image to Video": image_to_video,
    "Several References": several_references,
    "Wait for Task": wait_for_task,
    "Post-Process Frames": frames_post_process,
    "Last Frame to Next Clip": last_frame_to_next_clip,
    "Long Clip": long_clip,
    "Edit and Extend": edit_and_extend,
    "Batch": batch,
    "Film": film,
}
"""By the name of the file, which ComfyUI shows as the template's title and its description."""
