extension NetworkError {
  /// Whether the error lies in what an option says, whatever the files.
  package var isOfOptions: Bool {
    switch self {
    case .moduleName, .moduleUnsupported, .argumentForm, .unknownArgument, .unsupportedArgument,
      .value,
      .unknownAlgorithm, .conflict, .settings, .noModules, .moduleOfFamily:
      true
    case .presetOption, .blocksOfFamily, .missingLayer, .layerShape, .fileAlgorithm, .fileShapes,
      .fileFactor, .fileWithoutModules:
      false
    }
  }
}

extension DatasetError {
  /// Whether the error lies in what an option says or leaves out, whatever the files.
  package var isOfOptions: Bool {
    switch self {
    case .nothingGiven, .noPreparedFolder, .setting: true
    default: false
    }
  }
}
