import ArgumentParser
import Images
import Machine
import SystemPackage
import Training

extension DatasetOptions {
  /// What the command line says, for datasets to fall back on.
  func defaults(validationSplit: Double, validationSeed: UInt64?) throws -> DatasetDefaults {
    var defaults = DatasetDefaults()
    defaults.trainFolder = trainFolder.map { FilePath(named: $0) }
    defaults.regularizationFolder = regularizationFolder.map { FilePath(named: $0) }
    defaults.metadataFile = metadataFile.map { FilePath(named: $0) }
    defaults.configuration = configuration.map { FilePath(named: $0) }
    defaults.priorLossWeight = priorWeight
    defaults.values = try values
    defaults.values.validationSplit = validationSplit
    defaults.values.validationSeed = validationSeed.map { Int(clamping: $0) }
    return defaults
  }

  /// Rates at which parts of captions are left out, by the word before `_dropout_rate`.
  var textDropout: [String: Double] {
    ["clip_l": dropoutOfCLIPL, "clip_g": dropoutOfCLIPG, "t5": dropoutOfT5]
      .compactMapValues { $0.map { Double($0) } }
  }

  private var values: DatasetValues {
    get throws {
      var values = DatasetValues()
      values.batchSize = batchSize
      values.resolution = try resolution.map(Self.resolution)
      values.enableBucket = usesBuckets
      values.minBucketReso = smallestBucket
      values.maxBucketReso = largestBucket
      values.bucketResoSteps = bucketStep
      values.bucketNoUpscale = neverEnlarges
      values.resizeInterpolation = try interpolation.map(Self.interpolation)
      values.numRepeats = repeats
      values.flipAug = flips
      values.colorAug = variesColors
      values.randomCrop = cropsAnywhere
      values.shuffleCaption = shufflesCaption
      values.keepTokens = keptTags
      values.keepTokensSeparator = keptTagsSeparator
      values.secondarySeparator = secondarySeparator
      values.captionSeparator = captionSeparator
      values.enableWildcard = usesWildcards
      values.tokenWarmupMin = warmupTags
      values.tokenWarmupStep = tagWarmup.map { Double($0) }
      values.captionPrefix = captionPrefix
      values.captionSuffix = captionSuffix
      values.captionDropoutRate = captionDropout.map { Double($0) }
      values.captionDropoutEveryNEpochs = captionDropoutInterval
      values.captionTagDropoutRate = tagDropout.map { Double($0) }
      values.captionExtension = captionExtension
      values.alphaMask = masksByAlpha
      return values
    }
  }

  /// `512`, or `512,768` for width and height.
  private static func resolution(_ text: String) throws -> Resolution {
    let sides = text.split(separator: ",").map { part in
      Int(part.filter { !$0.isWhitespace })
    }
    guard (1...2).contains(sides.count), let width = sides[0], let height = sides[sides.count - 1],
      width >= 8, height >= 8
    else {
      throw ValidationError(
        "'--resolution': expected a side such as 512, or width,height such as 512,768, found "
          + "'\(text)'")
    }
    return Resolution(width, height)
  }

  private static func interpolation(_ name: String) throws -> Interpolation {
    guard let interpolation = Interpolation(name: name) else {
      throw ValidationError(
        "'--resize_interpolation': expected one of "
          + "\(Interpolation.allCases.map(\.rawValue).joined(separator: ", ")), found '\(name)'")
    }
    return interpolation
  }
}
