import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// musubi-tuner's configurations of datasets.
struct PreparedConfigurationTests {
  private func text(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): "\"\(text)\""
    case .array(let elements): "[" + elements.map(self.text).joined(separator: ", ") + "]"
    case .bool(let flag): "\(flag)"
    case .number(let number): number
    case .null, .object: ""
    }
  }

  /// Against `get_metadata`, see `scripts/fixtures/training/make-prepared-fixtures.py`.
  @Test func metadataEqualMusubis() throws {
    let json = String(
      decoding: try contents(of: Fixtures.path("training/prepared/datasets.json")), as: UTF8.self)
    let cases = try #require(JSONValue(parsing: json)).elements
    #expect(cases.count == 6)
    for entry in cases {
      let folder = PreparedFolder()
      let keys = entry["keys"]?.members ?? []
      let lines = keys.filter { $0.key != "cache_directory" }
        .map { "\($0.key) = \(text($0.value))" }
      let isVideo = keys.contains { $0.key.hasPrefix("video") }
      let file = try folder.folder.write(
        "dataset.toml",
        text: "[[datasets]]\ncache_directory = \"\(folder.folder.path)/cache\"\n"
          + lines.joined(separator: "\n"))
      let model = try PreparedModel.wan()
      let settings = try model.configuration(file).datasets[0]
      let size = settings.resolution
      let frames = isVideo ? "_00000-001" : ""
      try folder.latents(
        "a\(frames)_\(size)", [16, 1, size.height / 8, size.width / 8])
      try folder.text("a")
      let set = try model.set(file)
      let found = set.metadata(accumulation: 1)
      let expected = try #require(entry["metadata"])
      #expect(found["ss_datasets"] == "[\(expected.pythonText)]")
      #expect(found["ss_num_train_items"] == "\(settings.subsets[0].repeats)")
      #expect(found.count == 2)
    }
  }

  /// Of a list nothing is read but its caches: they tell whether there are control images.
  @Test func controlsOfLists() throws {
    let folder = PreparedFolder()
    try folder.latents(
      "a_0048x0032", [16, 1, 4, 6],
      more: ["latents_control_1x4x6_bfloat16": .init(zeros: [16, 1, 4, 6])])
    try folder.text("a")
    let set = try PreparedModel.wan().set(try folder.configuration(of: "image_jsonl_file"))
    #expect(
      set.metadata(accumulation: 1)["ss_datasets"]?.contains("\"has_control\": true") ?? false)
  }

  /// All that musubi-tuner takes, whether it counts in training or not.
  @Test func allKeys() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    let set = try PreparedModel.wan().set(
      try folder.configuration(
        """
        batch_size = 2
        num_repeats = 2
        caption_extension = ".txt"
        enable_bucket = true
        bucket_no_upscale = false
        control_directory = "nowhere"
        multiple_target = false
        no_resize_control = true
        control_resolution = [64, 64]
        fp_latent_window_size = 9
        fp_1f_clean_indices = [0, 9]
        fp_1f_target_index = 1
        fp_1f_no_post = true
        flux_kontext_no_resize_control = true
        qwen_image_edit_no_resize_control = true
        qwen_image_edit_control_resolution = 64
        """))
    #expect(set.notices.isEmpty && set.configuration.datasets[0].batchSize == 2)
    #expect(set.summary.trainingSamples == 2)
    let clips = try PreparedModel.wan().configuration(
      try folder.configuration(
        """
        target_frames = [1, 25]
        frame_extraction = "slide"
        frame_stride = 4
        frame_sample = 2
        max_frames = 81
        source_fps = 24
        """, of: "video_directory"))
    #expect(clips.datasets[0].prepared?.isVideo ?? false)
  }

  /// musubi-tuner's own defaults, and the folder of pictures where there is none for caches.
  @Test func defaults() throws {
    let folder = TemporaryFolder()
    let file = try folder.write(
      "dataset.toml", text: "[[datasets]]\nvideo_directory = \"\(folder.path)/clips\"\n")
    let dataset = try PreparedModel.wan().configuration(file).datasets[0]
    #expect(dataset.resolution == Resolution(960, 544) && dataset.buckets == nil)
    #expect(dataset.batchSize == 1 && dataset.subsets.map(\.repeats) == [1])
    #expect(dataset.prepared?.folder == folder.path.appending("clips"))
  }

  @Test(arguments: [
    (
      "[[datasets]]\nimage_directory = 'x'\nbatchsize = 2\n",
      "FILE: [[datasets]] 1: unknown key 'batchsize', did you mean 'batch_size'?"
    ),
    (
      "[[datasets]]\nvideo_direktory = 'x'\n",
      "FILE: [[datasets]] 1: unknown key 'video_direktory', did you mean 'video_directory'?"
    ),
    (
      "[general]\ncache_directory = 'x'\n",
      "FILE: [general]: key 'cache_directory': belongs into [[datasets]]"
    ),
    (
      "[[datasets]]\nresolution = 64\n",
      "FILE: [[datasets]] 1: missing key 'image_directory' or 'video_directory'"
    ),
    (
      "[[datasets]]\nimage_jsonl_file = 'x.jsonl'\n",
      "FILE: [[datasets]] 1: missing key 'cache_directory'"
    ),
    (
      "[[datasets]]\nimage_directory = 'x'\nvideo_jsonl_file = 'y'\n",
      "FILE: [[datasets]] 1: key 'video_jsonl_file': a dataset is of images or of videos; put each kind into a dataset "
        + "of its own"
    ),
    (
      "[[datasets]]\nimage_directory = 'x'\n[[datasets]]\nvideo_directory = 'y'\ncache_directory = './x/'\n",
      "FILE: [[datasets]] 2: key 'cache_directory': './x/' has the caches of [[datasets]] 1 already; give each dataset "
        + "a 'cache_directory' of its own"
    ),
    (
      "[[datasets]]\nimage_directory = 'x'\nflip_aug = true\n",
      "FILE: [[datasets]] 1: key 'flip_aug': latents and captions of this model come encoded by musubi-tuner, whose "
        + "datasets have no such key; leave it out"
    ),
    (
      "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "FILE: [[datasets]] 1: key 'subsets': latents and captions of this model come encoded by musubi-tuner, whose "
        + "datasets have no such key; leave it out"
    ),
    (
      "[[datasets]]\nvideo_directory = 'x'\ntarget_frames = [0]\n",
      "FILE: [[datasets]] 1: key 'target_frames': expected a list of whole numbers, each 1 or more, found [0]"
    ),
    (
      "[[datasets]]\nvideo_directory = 'x'\nframe_extraction = 'tail'\n",
      "FILE: [[datasets]] 1: key 'frame_extraction': expected one of head, chunk, slide, uniform, full, found 'tail'"
    ),
    (
      "[[datasets]]\nvideo_directory = 'x'\nresolution = [64, 9000000000000000000]\n",
      "resolution: expected 1 to 65536, found 9000000000000000000"
    ),
  ])
  func refusals(_ text: String, _ expected: String) throws {
    let folder = TemporaryFolder()
    let file = try folder.write("dataset.toml", text: text)
    let found = message { _ = try PreparedModel.wan().configuration(file) }
    #expect(found.replacingAll(file.string, with: "FILE") == expected)
  }

  /// Models that read pictures have no use for keys of caches.
  @Test(arguments: [
    ("cache_directory = 'y'", "caches lie beside the images, and only latents are kept there"),
    ("target_frames = [5]", "this model is trained on pictures, not on videos"),
    (
      "fp_latent_window_size = 9",
      "it is for models whose latents and captions come encoded by musubi-tuner"
    ),
  ])
  func keysOfPictures(_ line: String, _ why: String) throws {
    let folder = ImageFolder()
    let text = message {
      _ = try folder.configuration(
        "[[datasets]]\nimage_directory = 'x'\nresolution = 64\n\(line)\n")
    }
    let key = line.split(separator: " ")[0]
    #expect(text.hasSuffix("[[datasets]] 1: key '\(key)': \(why)"), "\(text)")
  }

  @Test func withoutConfiguration() throws {
    let model = try PreparedModel.wan()
    let text = message {
      _ = try DatasetConfiguration(
        DatasetDefaults(), latents: model.latents, prepared: model.items.layout)
    }
    #expect(
      text
        == "no caches: expected '--dataset_config', since latents and captions of this model come encoded by "
        + "musubi-tuner, found none")
  }

  /// Flags of pictures and captions are said to be without effect.
  @Test func flagsWithoutEffect() throws {
    let folder = PreparedFolder()
    let configuration = try PreparedModel.wan().configuration(try folder.configuration()) {
      $0.values.flipAug = true
      $0.values.captionDropoutRate = 0.1
    }
    #expect(
      configuration.notices == [
        "'--flip_aug', '--caption_dropout_rate' have no effect: latents and captions come encoded"
      ])
  }
}
