import Images
import Sampling
import SystemPackage
import TestSupport
import Testing

@testable import Training

struct DatasetConfigurationTests {
  static let whole = """
    [general]
    enable_bucket = true
    caption_extension = ".txt"
    shuffle_caption = true
    keep_tokens = 1
    caption_dropout_rate = 0

    [[datasets]]
    resolution = 512
    batch_size = 4
    keep_tokens = 2
    validation_split = 0.1
    validation_seed = 7
    resize_interpolation = "cubic"

      [[datasets.subsets]]
      image_dir = "FOLDER/a"
      class_tokens = "cat"
      keep_tokens = 3
      num_repeats = 10
      token_warmup_step = 0.5
      custom_attributes = { source = "web", rank = 3 }

      [[datasets.subsets]]
      image_dir = "FOLDER/b"
      is_reg = true
      shuffle_caption = false

    [[datasets]]
    resolution = [768, 512]
    min_bucket_reso = 300
    max_bucket_reso = 1000
    bucket_no_upscale = false

      [[datasets.subsets]]
      metadata_file = "FOLDER/meta.json"
      image_dir = "FOLDER/c"
    """

  @Test func levels() throws {
    let folder = ImageFolder()
    let configuration = try folder.configuration(Self.whole) {
      $0.values.batchSize = 9
      $0.values.flipAug = true
      $0.values.shuffleCaption = false
    }
    #expect(configuration.isFromFile && configuration.datasets.count == 2)
    let (first, second) = (configuration.datasets[0], configuration.datasets[1])
    #expect(first.resolution == Resolution(512, 512) && first.batchSize == 4)
    #expect(first.validationSplit == 0.1 && first.validationSeed == 7)
    #expect(first.interpolation == .bicubic && first.buckets?.step == 64)
    let subset = first.subsets[0]
    #expect(subset.captions.keptTags == 3 && first.subsets[1].captions.keptTags == 2)
    #expect(second.subsets[0].captions.keptTags == 1)
    #expect(subset.captions.shuffles && !first.subsets[1].captions.shuffles)
    #expect(subset.flips && subset.repeats == 10 && subset.classTokens == "cat")
    #expect(subset.captions.warmupSteps == 0.5 && subset.captions.dropout == 0)
    #expect(
      subset.customAttributes == ["source": .string("web"), "rank": .integer(3)])
    #expect(first.subsets[1].isRegularization)
    #expect(second.resolution == Resolution(768, 512) && second.batchSize == 9)
    #expect(second.subsets[0].metadataFile == folder.path.appending("meta.json"))
    #expect(configuration.notices.count == 2, "\(configuration.notices)")
  }

  @Test func json() throws {
    let folder = ImageFolder()
    let configuration = try folder.configuration(
      """
      {"general": {"resolution": [64, 96]}, "datasets": [
        {"batch_size": 2, "subsets": [{"image_dir": "FOLDER", "num_repeats": 3, "caption_prefix": null}]}]}
      """, json: true)
    #expect(configuration.datasets[0].resolution == Resolution(64, 96))
    #expect(configuration.datasets[0].subsets[0].repeats == 3)
  }

  @Test func datasetsOfMusubi() throws {
    let folder = ImageFolder()
    let configuration = try folder.configuration(
      """
      [general]
      resolution = [64, 64]
      caption_extension = "txt"
      [[datasets]]
      image_directory = "FOLDER"
      num_repeats = 2
      """)
    let subset = configuration.datasets[0].subsets[0]
    #expect(subset.folder == folder.path && subset.repeats == 2)
    #expect(subset.captionExtension == ".txt")
  }

  private func refusal(_ text: String, json: Bool = false) -> String {
    let folder = ImageFolder()
    let name = "configuration.\(json ? "json" : "toml")"
    return message { _ = try folder.configuration(text, json: json) }
      .replacingAll(folder.folder.file(name).string, with: "FILE")
  }

  @Test(arguments: [
    (
      "[general]\nshufle_caption = true\n",
      "FILE: [general]: unknown key 'shufle_caption', did you mean 'shuffle_caption'?"
    ),
    ("[genral]\n", "FILE: top level: unknown key 'genral', did you mean 'general'?"),
    (
      "[general]\nimage_dir = 'x'\n",
      "FILE: [general]: key 'image_dir': belongs into [[datasets.subsets]]"
    ),
    (
      "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'\nbatch_size = 2\n",
      "FILE: [[datasets]] 1, [[datasets.subsets]] 1: key 'batch_size': belongs into [general] or [[datasets]]"
    ),
    (
      "[[datasets]]\nbatch_size = '2'\n",
      "FILE: [[datasets]] 1: key 'batch_size': expected a whole number, 1 or more, found '2'"
    ),
    (
      "[general]\ncaption_dropout_rate = 1.5\n",
      "FILE: [general]: key 'caption_dropout_rate': expected a number from 0 to 1, found 1.5"
    ),
    (
      "[general]\nresolution = [512]\n",
      "FILE: [general]: key 'resolution': expected a whole number or [width, height], each 8 or more, found [512]"
    ),
    (
      "[general]\nface_crop_aug_range = [1.0, 3.0]\n",
      "FILE: [general]: key 'face_crop_aug_range': cropping around faces is not supported; crop the images beforehand"
    ),
    ("[general]\n", "FILE: top level: missing key 'datasets'"),
    ("[[datasets]]\nresolution = 64\n", "FILE: [[datasets]] 1: missing key 'subsets'"),
    (
      "[[datasets]]\n[[datasets.subsets]]\nnum_repeats = 2\n",
      "FILE: [[datasets]] 1, [[datasets.subsets]] 1: missing key 'image_dir'"
    ),
    (
      "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'\n[[datasets.subsets]]\nmetadata_file = 'y'\n",
      "FILE: [[datasets]] 1: subsets of different kinds ('image_dir', 'metadata_file', 'conditioning_data_dir'); put each kind into a dataset of its own"
    ),
    (
      "datasets = 3\n",
      "FILE: top level: key 'datasets': expected a list of tables, [[datasets]], found 3"
    ),
    (
      "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "resolution: expected '--resolution', or the key in the configuration, found none"
    ),
    (
      "[[datasets]]\nresolution = 64\nenable_bucket = true\nmin_bucket_reso = 64\nbucket_reso_steps = 20\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "bucket_reso_steps: expected a multiple of 8, the pixels of a latent, found 20"
    ),
    (
      "[[datasets]]\nresolution = 64\nenable_bucket = true\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "min_bucket_reso: expected at most the resolution 64x64, found 256"
    ),
    (
      "[[datasets]]\nresolution = [64, 9000000000000000000]\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "resolution: expected 1 to 65536, found 9000000000000000000"
    ),
    (
      "[[datasets]]\nresolution = 64\nbatch_size = 9000000000000000000\n[[datasets.subsets]]\nimage_dir = 'x'\n",
      "batch_size: expected 1 to 65536, found 9000000000000000000"
    ),
  ])
  func refusals(_ text: String, _ expected: String) {
    #expect(refusal(text) == expected)
  }

  @Test func syntaxErrorsAreOneLine() {
    #expect(refusal("[general\n").hasPrefix("FILE: not valid TOML: "))
    #expect(refusal("{", json: true) == "FILE: not valid JSON")
    #expect(refusal("[]", json: true).hasPrefix("FILE: expected an object"))
  }

  /// Sides that are no multiples of a latent's pixels are trained as far as latents go, with or without buckets.
  @Test func sidesBetweenLatents() throws {
    let folder = ImageFolder()
    func configuration(_ keys: String) throws -> DatasetConfiguration {
      try folder.configuration(
        "[general]\n\(keys)\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'FOLDER/a'\n")
    }
    let fixed = try configuration("resolution = [512, 650]")
    #expect(fixed.datasets[0].resolution == Resolution(512, 648))
    #expect(
      fixed.notices.count == 1 && fixed.notices[0].hasPrefix("resolution: 512x648 of 512x650"))
    let buckets = try configuration(
      "resolution = 512\nenable_bucket = true\nbucket_reso_steps = 1\nbucket_no_upscale = true")
    #expect(buckets.datasets[0].buckets?.step == 8)
    #expect(buckets.notices.count == 1 && buckets.notices[0].contains("multiples of 32 or 64"))
    #expect(try configuration("resolution = [512, 768]").notices.isEmpty)
  }

  /// What LoRA_Easy_Training_Scripts saves holds datasets in a form of its own.
  @Test func savedPage() throws {
    let folder = ImageFolder()
    let configuration = try folder.configuration(
      """
      [[subsets]]
      name = "bag"
      image_dir = "FOLDER/a"
      num_repeats = 3
      flip_aug = false
      [general_args.args]
      pretrained_model_name_or_path = "x"
      [general_args.dataset_args]
      resolution = 512
      batch_size = 2
      max_token_length = 225
      [bucket_args.dataset_args]
      enable_bucket = true
      min_bucket_reso = 320
      """)
    #expect(configuration.datasets.count == 1)
    #expect(configuration.datasets[0].resolution == Resolution(512, 512))
    #expect(configuration.datasets[0].batchSize == 2)
    #expect(configuration.datasets[0].buckets?.smallest == 320)
    #expect(configuration.datasets[0].subsets.map(\.repeats) == [3])
    #expect(configuration.notices.isEmpty, "\(configuration.notices)")
  }

  /// As in the scripts, a configuration counts and a folder beside it does not.
  @Test func aConfigurationCountsBeforeAFolder() throws {
    let text = message { _ = try DatasetConfiguration(DatasetDefaults(), latents: .small) }
    #expect(text == "no images: expected '--train_data_dir' or '--dataset_config'")
    let both = try ImageFolder().configuration(Self.whole) {
      $0.trainFolder = "x"
      $0.regularizationFolder = "y"
    }
    #expect(both.datasets.count == 2)
    for flag in ["--train_data_dir", "--reg_data_dir"] {
      #expect(both.notices.contains { $0.hasPrefix("'\(flag)' has no effect") })
    }
  }
}
