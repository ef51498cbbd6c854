package import Images
package import Machine
package import SystemPackage

/// What is wrong with the images and captions of a training.
package enum DatasetError: Error {
  case io(FilePath, Errno)
  /// A file that cannot be read, or is none.
  case input(FilePath, InputError)
  case writing(FilePath, Errno)
  /// `detail` names the file itself.
  case file(FilePath, detail: String)
  /// None of the ways to name images was used.
  case nothingGiven
  case syntax(FilePath, detail: String)
  case unknownKey(FilePath, section: String, key: String, near: String?)
  /// A key of another level, or one that is not served.
  case refusedKey(FilePath, section: String, key: String, why: String)
  case wrongValue(FilePath, section: String, key: String, expected: String, found: String)
  case missingKey(FilePath, section: String, key: String)
  case mixedSubsets(FilePath, section: String)
  /// A value of the command line, or one that follows from several keys.
  case setting(String, expected: String, found: String)
  case notAFolder(FilePath, flag: String)
  case noImages(FilePath, detail: String)
  case noTrainingImages
  case image(ImageError)
  case caption(FilePath, detail: String)
  case metadata(FilePath, entry: String?, detail: String)
  case missingMask(FilePath, folder: FilePath)
  case maskSize(FilePath, expected: Resolution, found: Resolution)
  case imageTooSmall(FilePath, size: Resolution, step: Int)
  case imageTooLarge(FilePath, size: Resolution, resized: Resolution, bucket: Resolution)
  /// Several images or masks that cannot be trained with.
  case unusable(count: Int, first: [String])
  case cache(FilePath, expected: String, found: String)
  /// One of our own that is of no use, where there is nothing to make it anew with.
  case cacheWithoutEncoder(FilePath, expected: String, found: String)
  case notFinite(FilePath)
  /// Images without kept latents, and nothing to encode them with.
  case noEncoder(FilePath, count: Int, total: Int)
  case sharedCache(FilePath, String, String)
  /// Captions that are not kept, and no text encoder.
  case noTextEncoder(FilePath, count: Int, total: Int)
  /// Two images of different captions whose text would be kept in one file.
  case sharedText(FilePath, String, String)
  case imageChanged(FilePath, expected: Resolution, found: Resolution)
  /// A file of an encoded item that cannot be trained with.
  case prepared(FilePath, expected: String, found: String, remedy: String)
  /// One that cannot be read; `detail` names the file.
  case damaged(detail: String, remedy: String)
  /// A folder without encoded items; words of other models whose items are there.
  case noPrepared(FilePath, ending: String, others: [String], command: String)
  case unusableItems(count: Int, first: [String])
  /// No configuration, and items that come encoded.
  case noPreparedFolder
  case noTrainingItems
}

extension DatasetError {
  /// What is wrong, without what is to be done.
  var fault: String {
    switch self {
    case .cache(let file, let expected, let found),
      .cacheWithoutEncoder(let file, let expected, let found):
      "\(file): expected a cache of \(expected), found \(found)"
    default: description
    }
  }
}

extension DatasetError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .io(let file, let error): "\(file): cannot be read: \(error)"
    case .input(let file, let error): "\(file): \(error)"
    case .writing(let file, let error): "\(file): cannot be written: \(error)"
    case .file(_, let detail): detail
    case .nothingGiven:
      "no images: expected '--train_data_dir' or '--dataset_config'"
    case .syntax(let file, let detail): "\(file): \(detail)"
    case .unknownKey(let file, let section, let key, let near):
      "\(file): \(section): unknown key '\(key)'" + (near.map { ", did you mean '\($0)'?" } ?? "")
    case .refusedKey(let file, let section, let key, let why):
      "\(file): \(section): key '\(key)': \(why)"
    case .wrongValue(let file, let section, let key, let expected, let found):
      "\(file): \(section): key '\(key)': expected \(expected), found \(found)"
    case .missingKey(let file, let section, let key): "\(file): \(section): missing key '\(key)'"
    case .mixedSubsets(let file, let section):
      "\(file): \(section): subsets of different kinds ('image_dir', 'metadata_file', "
        + "'conditioning_data_dir'); put each kind into a dataset of its own"
    case .setting(let name, let expected, let found):
      "\(name): expected \(expected), found \(found)"
    case .notAFolder(let path, let flag): "\(path): expected the folder of '\(flag)', found none"
    case .noImages(let path, let detail):
      "\(path): expected PNG, JPEG or WebP images, found none\(detail)"
    case .noTrainingImages:
      "no images to train on: all subsets are regularization images or held out for validation"
    case .image(let error): error.description
    case .caption(let file, let detail): "\(file): \(detail)"
    case .metadata(let file, let entry, let detail):
      "\(file): " + (entry.map { "\($0): " } ?? "") + detail
    case .missingMask(let image, let folder):
      "\(image): expected a mask of the same name in \(folder), found none"
    case .maskSize(let mask, let expected, let found):
      "\(mask): expected a mask of its image's size \(expected), found \(found)"
    case .imageTooSmall(let file, let size, let step):
      "\(file): expected at least \(step) pixels on each side with 'bucket_no_upscale', found "
        + "\(size); remove it or leave 'bucket_no_upscale' out"
    case .imageTooLarge(let file, let size, let resized, let bucket):
      "\(file): \(size) pixels would grow to \(resized) to cover \(bucket); crop the image to less extreme "
        + "proportions"
    case .unusable(let count, let first):
      "\(count) images or masks cannot be used: \(first.joined(separator: "; "))"
        + (count > first.count ? "; and \(count - first.count) more" : "")
    case .cache: "\(fault); remove it to have it made anew"
    case .cacheWithoutEncoder: "\(fault); name a VAE with '--vae' to have it made anew"
    case .notFinite(let file):
      "\(file): expected finite latents, found NaN or infinity; the VAE overflows or is broken, try another "
        + "one with '--vae'"
    case .noEncoder(let image, let count, let total):
      "\(image): expected kept latents, since there is no VAE to encode images with, found none for \(count) of "
        + "\(total) images; name a VAE with '--vae'"
    case .sharedCache(let file, let a, let b):
      "\(file): expected a cache of one image, found two that would share it: \(a) and \(b); rename "
        + "one, or cache as safetensors.zst if both are one image in two resolutions"
    case .noTextEncoder(let file, let count, let total):
      "\(file): expected what the text encoders make of a caption, since the checkpoint has none, found none for "
        + "\(count) of \(total) images; name a checkpoint with text encoders, or their files by their own options"
    case .sharedText(let file, let a, let b):
      "\(file): expected the text of one caption, found two images that would share it: \(a) and \(b); rename one, "
        + "or leave out '--cache_text_encoder_outputs_to_disk'"
    case .imageChanged(let file, let expected, let found):
      "\(file): expected an image of \(expected) as when the run began, found \(found)"
    case .prepared(let file, let expected, let found, let remedy):
      "\(file): expected \(expected), found \(found); \(remedy)"
    case .damaged(let detail, let remedy): "\(detail); \(remedy)"
    case .noPrepared(let folder, let ending, let others, let command):
      "\(folder): expected caches of latents '*\(ending)', found "
        + (others.isEmpty
          ? "none" : "those of other models, " + others.map { "'\($0)'" }.joined(separator: ", "))
        + "; make them with musubi-tuner's '\(command)', or name their folder by 'cache_directory'"
    case .unusableItems(let count, let first):
      "\(count) caches cannot be used: \(first.joined(separator: "; "))"
        + (count > first.count ? "; and \(count - first.count) more" : "")
    case .noPreparedFolder:
      "no caches: expected '--dataset_config', since latents and captions of this model come encoded by "
        + "musubi-tuner, found none"
    case .noTrainingItems: "no items to train on: all are held out for validation"
    }
  }
}
