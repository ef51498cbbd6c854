package import Checkpoints
package import DiffusionModels
package import Machine
package import ModelFamilies
package import SystemPackage

/// What keeps a checkpoint from being trained on, or drawn with.
package enum ModelLoadingError: Error, Equatable {
  /// A family that is not built.
  case unsupportedFamily(FilePath, ModelFamily, supported: [String])
  /// A checkpoint that is of no known family and has not the structure of one either.
  case unknownStructure(FilePath, supported: [String])
  case missingComponent(FilePath, component: String)
  /// An adapter to be merged that has modules without a place.
  case unmatchedAdapter(
    FilePath, [UnmatchedModule], total: Int, misfit: String?, option: String?)
  case model(FilePath, ModelError)
  /// A module of the UNet for which the model has no place.
  case unknownModule(FilePath, module: String)
  /// A hole in the numbers of a transformer's blocks.
  case missingBlock(FilePath, block: String, found: Int, last: Int)
  /// A layer of a transformer's block that the others have.
  case missingLayer(FilePath, tensor: String)
  /// An inpainting, depth or upscaling model.
  case latentChannels(FilePath, found: Int)
  /// An autoencoder of another model than the denoiser.
  case otherAutoencoder(FilePath, expected: LatentLayout, found: LatentLayout)
  /// One that makes something else of them than noise or velocity.
  case latentOutputs(FilePath, expected: Int, found: Int)
  /// A transformer of videos that sees something else besides.
  case videoChannels(FilePath, expected: [Int], found: Int)
  /// One that makes something else than latents; numbers of a patch.
  case videoOutputs(FilePath, expected: Int, found: Int)
  /// One with parts of which nothing is read.
  case videoParts(FilePath, found: String)
  /// A network for much noise that is of another model.
  case otherNetwork(FilePath, of: FilePath)
  /// A file for a part that models of the family have not.
  case foreignPart(FilePath, option: String, ModelFamily, known: [String])
  /// A file that holds something else than the part that an option names.
  case otherPart(FilePath, option: String, component: String, found: String)
  /// A file of a part that is not to be opened; `detail` names it.
  case part(option: String, detail: String)
  /// A part that neither the checkpoint nor a file of its own has.
  case missingPart(FilePath, component: String, option: String)
  /// A file of a part that is not there, and what asks for it.
  case absentPart(FilePath, option: String, use: String)
  /// No tokenizer for a text encoder.
  case missingTokenizer(FilePath, names: [String], folder: String, option: String)
  /// A tokenizer that makes tokens which the text encoder does not know.
  case tokenizerSize(FilePath, tokens: Int, known: Int)
  /// Captions with weights for a family that does not read them.
  case weightedCaptions(ModelFamily)
  /// A text encoder and a UNet that do not belong together.
  case contextWidth(FilePath, unet: Int, text: Int)
  /// A UNet that is told another vector than text encoder and sizes make.
  case vectorWidth(FilePath, unet: Int, expected: Int)
  /// A text encoder whose vectors are not those that the denoiser reads.
  case textWidth(FilePath, component: String, option: String?, expected: Int, found: Int)
  /// CLIP encoders that do not belong together with the denoiser: what each makes, with its file.
  case clipWidths(FilePath, expected: Int, found: [String])
  /// A text encoder that does not know the tokenizer's tokens.
  case vocabulary(FilePath, expected: Int, found: Int)
  case configuration(FilePath, key: String?, expected: String)
  case unreadable(FilePath, InputError)
  /// A file that is no tokenizer, or one of another kind.
  case tokenizer(FilePath, TokenizerError)
}

extension ModelLoadingError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unmatchedAdapter(let path, let modules, let total, let misfit, let option):
      "\(path): " + (option.map { "'\($0)': " } ?? "") + (misfit.map { $0 + ": " } ?? "")
        + "\(modules.count) of \(total) modules have no place in the checkpoint: "
        + modules.examples
    case .unsupportedFamily(let file, let family, let supported):
      "\(file): a checkpoint of \(family.title); adapters are trained here for "
        + "\(supported.joined(separator: ", ")), not yet for other models: sd-scripts or musubi-tuner train "
        + "those"
    case .unknownStructure(let file, let supported):
      "\(file): expected a checkpoint of \(supported.joined(separator: ", ")), found no model of that structure"
    case .missingComponent(let file, let component):
      "\(file): no \(Self.title(component)) in the checkpoint; give a single file with all parts, or "
        + "a diffusers folder"
    case .model(let file, let error): "\(file): \(error)"
    case .unknownModule(let file, let module):
      "\(file): module '\(module)' of the UNet has no place in the model"
    case .missingBlock(let file, let block, let found, let last):
      "\(file): expected all blocks from 0 to \(last), found \(found) of them and no '\(block)': the file is not whole"
    case .missingLayer(let file, let tensor):
      "\(file): expected tensor '\(tensor)', as other blocks have it, found none: the file is not whole"
    case .latentChannels(let file, let found):
      "\(file): expected a UNet for latents of 4 channels, found \(found): inpainting, depth and "
        + "upscaling models are not read here"
    case .otherAutoencoder(let file, let expected, let found):
      "\(file): expected an image autoencoder of \(expected.channels) channels whose latents cover \(expected.stride) "
        + "pixels a side, found one of \(found.channels) and \(found.stride); give that of the model by '--ae' or '--vae'"
    case .latentOutputs(let file, let expected, let found):
      "\(file): expected a UNet that makes \(expected) channels of latents, found \(found): models that predict a "
        + "variance as well are not read here"
    case .videoChannels(let file, let expected, let found):
      "\(file): expected a transformer that sees \(expected.map { "\($0)" }.joined(separator: " or ")) channels, "
        + "found \(found): models with other latents, controls, references or sound cannot be trained"
    case .videoOutputs(let file, let expected, let found):
      "\(file): expected a transformer that makes \(expected) numbers of a patch, as latents have, found "
        + "\(found): it is none of those that are trained here"
    case .videoParts(let file, let found):
      "\(file): expected a transformer that sees text and at most a first picture, found '\(found)': models with "
        + "controls, references, sound or a last picture cannot be trained"
    case .otherNetwork(let file, let base):
      "\(file): '--dit_high_noise': expected a network with the layers and shapes of \(base), found another"
    case .foreignPart(let file, let option, let family, let known):
      "'--\(option)': \(file) is a checkpoint of \(family.title), "
        + (known.isEmpty
          ? "whose parts come with it: remove the option"
          : "whose parts are named by \(known.map { "'--\($0)'" }.joined(separator: ", "))")
    case .otherPart(let file, let option, let component, let found):
      "\(file): '--\(option)': expected a file of the \(Self.title(option, component)), found \(found)"
    case .part(let option, let detail): "'--\(option)': \(detail)"
    case .missingPart(let file, let component, let option):
      "\(file): no \(Self.title(option, component)): give a file of it by '--\(option) PATH', a checkpoint or a diffusers "
        + "folder with all parts, or captions that are cached"
    case .absentPart(let file, let option, let use):
      "\(file): '--\(option)': expected a file, found none; it is needed \(use)"
    case .missingTokenizer(let file, let names, let folder, let option):
      "\(file): no tokenizer for it: expected \(names.map { "'\($0)'" }.joined(separator: " or ")) beside it or in "
        + "'\(folder)'; give '\(option) PATH', a file of T5 v1.1, whose vocabulary all of its sizes share"
    case .tokenizerSize(let file, let tokens, let known):
      "\(file): expected a tokenizer of the text encoder's \(known) tokens, found one of \(tokens)"
    case .weightedCaptions(let family):
      "'--weighted_captions': \(family.title) reads no weights in captions: remove it"
    case .contextWidth(let file, let unet, let text):
      "\(file): the UNet reads text of width \(unet), the text encoder gives width \(text)"
    case .vectorWidth(let file, let unet, let expected):
      "\(file): the UNet reads a vector of width \(unet) for a caption and its sizes, these make \(expected)"
    case .clipWidths(let file, let expected, let found):
      "\(file): the transformer reads a vector of \(expected) numbers of a caption, found "
        + found.joined(separator: " and ")
    case .textWidth(let file, let component, let option, let expected, let found):
      "\(file): " + (option.map { "'--\($0)': " } ?? "")
        + "expected a \(Self.title(option, component)) whose vectors have \(expected) numbers, as the transformer reads "
        + "them, found one of \(found)"
    case .vocabulary(let file, let expected, let found):
      "\(file): expected a text encoder for the \(expected) tokens of CLIP, found one for \(found)"
    case .unreadable(let file, let error): "\(file): \(error)"
    case .tokenizer(let file, let error): "\(file): \(error)"
    case .configuration(let file, let key, let expected):
      "\(file):" + (key.map { " '\($0)':" } ?? "") + " expected \(expected)"
    }
  }

  /// That of the option, where there is one, which says more.
  private static func title(_ option: String?, _ component: String) -> String {
    option.flatMap { titles[$0] } ?? title(component)
  }

  /// Of a component or of the option that names its file.
  static func title(_ name: String) -> String { titles[name] ?? name }

  /// What names a file of an autoencoder, as trainers call it.
  static let autoencoderOption = "ae' or '--vae"

  /// Says which option a file was given by that cannot be opened.
  static func ofPart<Result>(
    _ option: String, _ body: () throws -> Result
  ) throws(ModelLoadingError) -> Result {
    do { return try body() } catch {
      throw .part(option: option, detail: "\(error)")
    }
  }

  private static let titles = [
    "unet": "UNet", "te1": "text encoder", "te2": "second text encoder",
    "te3": "T5 text encoder", "vae": "image autoencoder",
    "clip_l": "CLIP-L text encoder", "clip_g": "CLIP-G text encoder", "t5xxl": "T5 text encoder",
  ]
}
