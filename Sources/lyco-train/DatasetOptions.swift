import ArgumentParser
import CommandSupport

/// Images and captions, where no dataset configuration says otherwise.
struct DatasetOptions: ParsableArguments {
  @Option(
    name: .customLong("train_data_dir"),
    help: ArgumentHelp(
      "Folder of images with captions beside them, or of such folders; one named 10_name counts "
        + "ten times.", valueName: "folder"), completion: .directory)
  var trainFolder: String?

  @Option(
    name: .customLong("reg_data_dir"),
    help: ArgumentHelp("Folder of regularization images.", valueName: "folder"),
    completion: .directory)
  var regularizationFolder: String?

  @Option(
    name: .customLong("in_json"),
    help: ArgumentHelp("Captions of the images in one metadata file.", valueName: "path"),
    completion: .file())
  var metadataFile: String?

  @Option(
    name: .customLong("dataset_config"),
    help: ArgumentHelp("Datasets in TOML or JSON, as kohya's scripts read it.", valueName: "path"),
    completion: .file())
  var configuration: String?

  @Option(
    name: .customLong("train_batch_size"),
    help: ArgumentHelp("Images in a step.", valueName: "n"))
  var batchSize = 1

  @Option(
    help: ArgumentHelp("Side, or width,height, of the images that are trained.", valueName: "px"))
  var resolution: String?

  @Option(
    name: [.customLong("caption_extension"), .customLong("caption_extention")],
    help: ArgumentHelp(
      "Ending of caption files. Default: .caption.", valueName: "ending"))
  var captionExtension: String?

  @Option(
    name: .customLong("dataset_repeats"),
    help: ArgumentHelp("How often an epoch shows each image.", valueName: "n"))
  var repeats: Int?

  @Flag(name: .customLong("shuffle_caption"), help: "Shuffle the tags of a caption.")
  var shufflesCaption = false

  @Option(
    name: .customLong("caption_separator"),
    help: ArgumentHelp("What stands between tags.", valueName: "text"))
  var captionSeparator: String?

  @Option(
    name: .customLong("keep_tokens"),
    help: ArgumentHelp("Tags at the start that stay in place.", valueName: "n"))
  var keptTags: Int?

  @Option(
    name: .customLong("keep_tokens_separator"),
    help: ArgumentHelp("Mark behind the tags that stay in place.", valueName: "text"))
  var keptTagsSeparator: String?

  @Option(
    name: .customLong("secondary_separator"),
    help: ArgumentHelp("Separator within tags that are dropped together.", valueName: "text"))
  var secondarySeparator: String?

  @Flag(name: .customLong("enable_wildcard"), help: "Choose among {a|b} and lines of captions.")
  var usesWildcards = false

  @Option(
    name: .customLong("caption_prefix"),
    help: ArgumentHelp("Put before every caption.", valueName: "text"))
  var captionPrefix: String?

  @Option(
    name: .customLong("caption_suffix"),
    help: ArgumentHelp("Put behind every caption.", valueName: "text"))
  var captionSuffix: String?

  @Option(
    name: .customLong("caption_dropout_rate"),
    help: ArgumentHelp("Rate of captions left empty.", valueName: "rate"))
  var captionDropout: Float?

  @Option(
    name: .customLong("caption_dropout_every_n_epochs"),
    help: ArgumentHelp("Leave all captions empty in every n-th epoch.", valueName: "n"))
  var captionDropoutInterval: Int?

  @Option(
    name: .customLong("caption_tag_dropout_rate"),
    help: ArgumentHelp("Rate of tags left out.", valueName: "rate"))
  var tagDropout: Float?

  @Option(
    name: .customLong("clip_l_dropout_rate"),
    help: ArgumentHelp(
      "Rate of captions without what CLIP-L makes of them, of Stable Diffusion 3.",
      valueName: "rate"))
  var dropoutOfCLIPL: Float?

  @Option(
    name: .customLong("clip_g_dropout_rate"),
    help: ArgumentHelp("The same of CLIP-G.", valueName: "rate"))
  var dropoutOfCLIPG: Float?

  @Option(
    name: .customLong("t5_dropout_rate"),
    help: ArgumentHelp("The same of T5.", valueName: "rate"))
  var dropoutOfT5: Float?

  @Option(
    name: .customLong("token_warmup_min"),
    help: ArgumentHelp("Tags shown at first; see --token_warmup_step.", valueName: "n"))
  var warmupTags: Int?

  @Option(
    name: .customLong("token_warmup_step"),
    help: ArgumentHelp("Steps, or share of them, until all tags are shown.", valueName: "n"))
  var tagWarmup: Float?

  @Flag(
    name: .customLong("weighted_captions"),
    help: "Read weights in captions: (more), [less], (as said:1.3).")
  var weighsCaptions = false

  @Flag(name: .customLong("flip_aug"), help: "Show images mirrored half of the time.")
  var flips = false

  @Flag(name: .customLong("color_aug"), help: "Vary colors.")
  var variesColors = false

  @Flag(name: .customLong("random_crop"), help: "Crop anywhere instead of at the center.")
  var cropsAnywhere = false

  @Flag(name: .customLong("alpha_mask"), help: "Weigh the loss by the alpha channel.")
  var masksByAlpha = false

  @Flag(name: .customLong("enable_bucket"), help: "Keep the proportions of images, in buckets.")
  var usesBuckets = false

  @Option(
    name: .customLong("min_bucket_reso"),
    help: ArgumentHelp("Shortest side of a bucket. Default: 256.", valueName: "px"))
  var smallestBucket: Int?

  @Option(
    name: .customLong("max_bucket_reso"),
    help: ArgumentHelp("Longest side of a bucket. Default: 1024.", valueName: "px"))
  var largestBucket: Int?

  @Option(
    name: .customLong("bucket_reso_steps"),
    help: ArgumentHelp("What sides of buckets are multiples of. Default: 64.", valueName: "px"))
  var bucketStep: Int?

  @Flag(name: .customLong("bucket_no_upscale"), help: "Never enlarge an image.")
  var neverEnlarges = false

  @Option(
    name: .customLong("resize_interpolation"),
    help: ArgumentHelp(
      "area, lanczos, bicubic, bilinear or nearest. Default: area to shrink, lanczos to enlarge.",
      valueName: "name"))
  var interpolation: String?

  @Flag(name: .customLong("cache_latents"), help: "Encode every image once and keep the result.")
  var cachesLatents = false

  @Flag(
    name: .customLong("cache_latents_to_disk"),
    help: "Keep it beside the images, as kohya's scripts do.")
  var cachesLatentsToDisk = false

  @Option(
    name: .customLong("latent_cache_format"),
    help: ArgumentHelp(
      "npz, which kohya's scripts read, or safetensors.zst, from which every epoch draws anew.",
      valueName: "format"),
    completion: .list(OptionTable.words(of: "latent_cache_format", in: .train)))
  var cacheFormat = "npz"

  @Flag(
    name: .customLong("cache_text_encoder_outputs"),
    help: "Encode every caption once and let go of the text encoders.")
  var cachesText = false

  @Flag(
    name: .customLong("cache_text_encoder_outputs_to_disk"),
    help: "Keep the outputs beside the images, as kohya's scripts do.")
  var cachesTextToDisk = false

  @Flag(name: .customLong("skip_cache_check"), help: "Trust what is on disk.")
  var trustsCache = false

  @Option(
    name: .customLong("vae_batch_size"),
    help: ArgumentHelp("Images that are encoded at a time.", valueName: "n"))
  var encoderBatchSize = 1

  @Option(
    name: .customLong("prior_loss_weight"),
    help: ArgumentHelp("Weight of the loss of regularization images.", valueName: "weight"))
  var priorWeight: Float = 1

  func validate() throws {
    guard batchSize > 0 else {
      throw ValidationError("'--train_batch_size': expected 1 or more, found \(batchSize)")
    }
    // No file system takes longer names.
    if let captionExtension, captionExtension.utf8.count > 255 {
      throw ValidationError(
        "'--caption_extension': expected an ending such as .txt, found "
          + "\(captionExtension.utf8.count) bytes")
    }
  }
}
